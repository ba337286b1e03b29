// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The course of a run.  vCPU 0 prepares, reports and powers off; each vCPU
 * runs the processes whose index is its own modulo the number of vCPUs, in
 * slices when there are several.
 *
 *	prepare -> fill -> (agent) -> run -> check -> summary -> power off
 *
 * The phases are separated by barriers.
 */
#include "tests/payload/hostile.h"
#include "tests/payload/payload.h"

#define BOOT_E820_ENTRIES	0x1e8
#define BOOT_CMD_LINE_PTR	0x228
#define BOOT_RSDP		0x070
#define BOOT_E820_TABLE		0x2d0
#define MAX_E820		128
#define MAX_CMDLINE		1024
#define SLICE_MS		20
#define LISTEN_MS		100

void payload_main(uint64_t vcpu, const uint8_t *boot_params);
void payload_fault(uint64_t vector, uint64_t error, uint64_t rip,
		   uint64_t addr) __attribute__((noreturn));

extern uint8_t ring0_pages[PAYLOAD_MAX_CPUS][PAGE_BYTES];
extern char payload_vectors[];
extern uint64_t payload_idt[32][2];

static struct args args;
static struct proc procs[PAYLOAD_MAX_PROCS];
static struct region shared_region;
static volatile uint64_t nr_arrived;	/* vCPUs */
static uint64_t nr_cpus;
static volatile bool prepared;
static volatile uint64_t end_tsc;

static void build_idt(void)
{
	for (uint64_t v = 0; v < 32; v++) {
		uint64_t addr = (uint64_t)payload_vectors + v * 16;

		payload_idt[v][0] = (addr & 0xffff) | SEL_RING0_CODE << 16 |
				    UINT64_C(0x8e00) << 32 |
				    (addr >> 16 & 0xffff) << 48;
		payload_idt[v][1] = addr >> 32;
	}
}

static void die(const char *what, const char *word)
{
	json_open("error");
	json_text("what", what);
	if (word)
		json_text("word", word);
	json_close();
	power_off();
}

/* Entered in ring 3 from the fault handler. */
void payload_fault(uint64_t vector, uint64_t error, uint64_t rip,
		   uint64_t addr)
{
	json_open("fault");
	json_u64("vector", vector);
	json_u64("error", error);
	json_hex("rip", rip);
	json_hex("addr", addr);
	json_close();
	power_off();
}

static void switch_space(uint64_t vcpu, uint64_t cr3)
{
	volatile uint64_t *ring0_page = (void *)ring0_pages[vcpu];

	ring0_page[R0_NEXT_CR3 / 8] = cr3;
	__asm__ volatile("movb %%al, (%%rbx)"
			 : : "a"(0), "b"(PAYLOAD_TRAP_ADDR) : "memory");
}

/* A barrier of all vCPUs, which can be used again and again. */
static void barrier(void)
{
	static uint64_t nr_waiting, nr_passed;
	uint64_t turn = __atomic_fetch_add(&nr_waiting, 1, __ATOMIC_ACQ_REL) /
			nr_cpus;

	if (__atomic_load_n(&nr_waiting, __ATOMIC_ACQUIRE) ==
	    (turn + 1) * nr_cpus)
		__atomic_store_n(&nr_passed, turn + 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&nr_passed, __ATOMIC_ACQUIRE) <= turn)
		cpu_relax();
}

static void new_region(struct region *region, uint64_t nr)
{
	uint64_t counters = (nr * sizeof(uint32_t) + PAGE_BYTES - 1) >>
			    PAGE_SHIFT;

	region->counters = (uint32_t *)memory_alloc_run(counters);
	if (!region->counters || !memory_alloc_region(region, nr))
		die("no-room-for-a-region", NULL);
}

/* Pages of tables and counters that nr data pages of nr_maps maps need. */
static uint64_t overhead_pages(uint64_t nr, uint64_t nr_maps)
{
	return (nr / 512 + 8) * nr_maps + nr / 1024 + 64;
}

static void prepare_regions(void)
{
	uint64_t shared = args.shared_bytes >> PAGE_SHIFT;
	uint64_t total = args.mem_bytes >> PAGE_SHIFT;
	uint64_t private, need, left = memory_free_pages() - memory_pool_used();

	need = overhead_pages(shared, args.nr_procs + 1);
	if (!total) {
		/* A data page costs 1/512 for its table, 1/1024 to count. */
		uint64_t spare = need + 72 * args.nr_procs + shared;

		if (left <= spare)
			die("no-memory-left-for-private-pages", NULL);
		private = (left - spare) * 1024 / 1027 / args.nr_procs;
	} else {
		if (total <= shared)
			die("mem-must-exceed-shared", NULL);
		private = (total - shared) / args.nr_procs;
	}
	need += overhead_pages(private, 1) * args.nr_procs;
	if (private < 16 || private * args.nr_procs + shared + need > left)
		die("mem-is-beyond-the-guest-memory", NULL);
	if (!memory_size_pool(memory_pool_used() + need))
		die("no-room-for-tables", NULL);

	shared_region = (struct region){ .va = PAYLOAD_SHARED_VA, .id = 0xffff,
					 .shared = true };
	if (shared)
		new_region(&shared_region, shared);
	for (unsigned int i = 0; i < args.nr_procs; i++) {
		struct proc *proc = &procs[i];

		proc->index = i;
		proc->private_region = (struct region){
			.va = PAYLOAD_PRIVATE_VA, .id = i };
		new_region(&proc->private_region, private);
		proc->shared_region = shared ? &shared_region : NULL;
		pattern_init(proc, &args);
	}
	memory_begin_tables();
	for (unsigned int i = 0; i < args.nr_procs; i++) {
		struct proc *proc = &procs[i];

		proc->cr3 = memory_new_space();
		if (!proc->cr3 ||
		    !memory_map_region(proc->cr3, &proc->private_region) ||
		    (shared && !memory_map_region(proc->cr3, &shared_region)))
			die("no-room-for-tables", NULL);
	}
	memory_end_tables();
}

static void wait_for_vcpus(void)
{
	nr_cpus = args.nr_cpus ? args.nr_cpus : acpi_nr_processors();
	if (!nr_cpus || nr_cpus > PAYLOAD_MAX_CPUS)
		die("number-of-vcpus-not-known-say-cpus=N", NULL);
	/* They were all started with us; the VMM says so by the ELF note. */
	for (uint64_t i = 0; nr_arrived < nr_cpus; i++) {
		if (i == 1000000000)
			die("a-vcpu-did-not-start", NULL);
		cpu_relax();
	}
}

static void report_start(const char *clock)
{
	json_open("start");
	json_text("pattern", args_pattern_name(args.pattern));
	json_u64("vcpus", nr_cpus);
	json_u64("procs", args.nr_procs);
	json_u64("ram_pages", memory_ram_pages());
	json_u64("private_pages", procs[0].private_region.nr);
	json_u64("shared_pages", shared_region.nr);
	json_u64("hot_pages", procs[0].nr_hot);
	json_u64("private_gfn", region_gfn(&procs[0].private_region, 0));
	if (shared_region.nr)
		json_u64("shared_gfn", region_gfn(&shared_region, 0));
	json_u64("pool_gfn", memory_pool().gfn);
	json_u64("pool_pages", memory_pool().nr);
	json_u64("tsc_khz", clock_tsc_khz());
	json_text("clock", clock);
	json_close();
}

static void prepare(const uint8_t *boot_params)
{
	static struct e820_entry map[MAX_E820];
	static char cmdline[MAX_CMDLINE];
	unsigned int nr = boot_params[BOOT_E820_ENTRIES];
	const char *from, *bad = NULL, *clock;
	uint32_t cmd_line;
	uint64_t rsdp;

	build_idt();
	measure_init(procs, &args);
	memcpy(&cmd_line, boot_params + BOOT_CMD_LINE_PTR, sizeof(cmd_line));
	memcpy(&rsdp, boot_params + BOOT_RSDP, sizeof(rsdp));
	from = (const char *)(uintptr_t)cmd_line;
	for (size_t i = 0; cmd_line && i < sizeof(cmdline) - 1 && from[i]; i++)
		cmdline[i] = from[i] == '\n' || from[i] == '\t' ? ' ' :
			     from[i];
	if (nr > MAX_E820)
		nr = MAX_E820;
	memcpy(map, boot_params + BOOT_E820_TABLE, nr * sizeof(map[0]));

	acpi_init(rsdp);
	if (!args_parse(cmdline, &args, &bad))
		die("bad-argument", bad);
	wait_for_vcpus();
	clock = clock_init(args.tsc_khz);
	if (!clock)
		die("no-way-to-tell-the-tsc-frequency", NULL);
	if (!memory_init(map, nr))
		die("no-usable-memory-in-the-e820-map", NULL);
	if (!args.nr_procs)
		args.nr_procs = (unsigned int)nr_cpus;
	if (args.pattern == PATTERN_SHARED && !args.shared_bytes)
		args.shared_bytes = 3 << 20;
	prepare_regions();
	report_start(clock);
}

static void report_interval(uint64_t start)
{
	static uint64_t last_ops, last_tsc;
	uint64_t now = rdtsc(), ops = 0, errors = 0, batch = 0, us;

	for (unsigned int i = 0; i < args.nr_procs; i++) {
		ops += procs[i].nr_ops;
		errors += procs[i].nr_errors;
		if (procs[i].max_batch_tsc > batch)
			batch = procs[i].max_batch_tsc;
		procs[i].max_batch_tsc = 0;
	}
	us = clock_tsc_to_us(now - (last_tsc ? last_tsc : start));
	json_open("interval");
	json_u64("t_ms", clock_tsc_to_us(now - start) / 1000);
	json_u64("ops", ops - last_ops);
	json_u64("ops_per_s", us ? (ops - last_ops) * 1000000 / us : 0);
	json_u64("max_batch_us", clock_tsc_to_us(batch));
	measure_report_interval();
	json_u64("errors", errors);
	json_close();
	last_ops = ops;
	last_tsc = now;
}

static void run_slice(struct proc *proc, uint64_t until, uint64_t *shift_at)
{
	uint64_t pause_until;

	do {
		if (args.pattern == PATTERN_PHASE && rdtsc() >= *shift_at) {
			pattern_shift(proc, &args);
			*shift_at += clock_ms_to_tsc(args.phase_ms);
		}
		pattern_batch(proc, &args);
		if (args.pace_us) {
			pause_until = rdtsc() +
				args.pace_us * clock_tsc_khz() / 1000;
			while (rdtsc() < pause_until)
				cpu_relax();
		}
	} while (rdtsc() < until);
}

static void run(uint64_t vcpu)
{
	static uint64_t shift_at[PAYLOAD_MAX_PROCS];
	uint64_t start = rdtsc(), report_at, listen_at = start;
	uint64_t slice, now, end;
	bool alone = args.nr_procs <= nr_cpus;
	uint64_t measure_at = start + clock_ms_to_tsc(args.warmup_ms);

	slice = clock_ms_to_tsc(alone && args.report_ms < SLICE_MS ?
				args.report_ms : SLICE_MS);
	report_at = start + clock_ms_to_tsc(args.report_ms);
	for (uint64_t i = vcpu; i < args.nr_procs; i += nr_cpus)
		shift_at[i] = start + clock_ms_to_tsc(args.phase_ms);
	while ((now = rdtsc()) < end_tsc) {
		for (uint64_t i = vcpu; i < args.nr_procs; i += nr_cpus) {
			if (!alone)
				switch_space(vcpu, procs[i].cr3);
			now = rdtsc();
			end = end_tsc;
			run_slice(&procs[i], now + slice < end ?
				  now + slice : end, &shift_at[i]);
		}
		if (vcpu)
			continue;
		if (args.agent)
			agent_poll();
		if (rdtsc() >= listen_at) {
			if (serial_asks_to_stop())
				end_tsc = 0;
			listen_at += clock_ms_to_tsc(LISTEN_MS);
		}
		if (rdtsc() >= measure_at) {
			measure_begin();
			measure_at = UINT64_MAX;
		}
		if (rdtsc() >= report_at) {
			report_interval(start);
			report_at += clock_ms_to_tsc(args.report_ms);
		}
	}
}

static void report_event(const char *event)
{
	json_open(event);
	json_u64("t_tsc_ms", rdtsc() / clock_tsc_khz());
	json_close();
}

static void start_run(void)
{
	if (args.agent) {
		static struct agent_view view = { .procs = procs };
		const char *why;

		view.nr_procs = args.nr_procs;
		why = agent_start(&view);
		json_open("agent");
		json_text("state", why ? why : "connected");
		json_close();
	}
	report_event("run");
	end_tsc = rdtsc() + clock_ms_to_tsc(args.duration_ms);
}

/* There is nothing to check in memory that was discarded. */
static void run_hostile(void)
{
	const char *why = hostile_run(args.hostile, &procs[0].private_region,
				      end_tsc);

	if (why)
		die(why, NULL);
	power_off();
}

static void report_summary(uint64_t ran, uint64_t run_tsc, uint64_t check_tsc)
{
	uint64_t ops = 0, errors = 0, checked = 0;
	uint64_t run_us = clock_tsc_to_us(run_tsc);

	for (unsigned int i = 0; i < args.nr_procs; i++) {
		ops += procs[i].nr_ops;
		errors += procs[i].nr_errors;
		checked += procs[i].nr_checked;
	}
	json_open("summary");
	json_u64("ops", ops);
	json_u64("run_ms", run_us / 1000);
	json_u64("ops_per_s", run_us >= 1000 ? ops * 1000 / (run_us / 1000) :
		 0);
	measure_report(ran);
	json_u64("pages_checked", checked);
	json_u64("check_ms", clock_tsc_to_us(check_tsc) / 1000);
	json_u64("errors", errors);
	json_close();
}

static void park(void)
{
	for (;;)
		cpu_relax();
}

void payload_main(uint64_t vcpu, const uint8_t *boot_params)
{
	uint64_t begin, ran, checked;

	__atomic_fetch_add(&nr_arrived, 1, __ATOMIC_ACQ_REL);
	if (!vcpu) {
		prepare(boot_params);
		__atomic_store_n(&prepared, true, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&prepared, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (vcpu >= nr_cpus)
		park();

	for (uint64_t i = vcpu; i < args.nr_procs; i += nr_cpus) {
		switch_space(vcpu, procs[i].cr3);
		pattern_fill(&procs[i]);
	}
	barrier();
	if (!vcpu)
		start_run();
	if (!vcpu && args.hostile)
		run_hostile();
	barrier();
	begin = rdtsc();
	run(vcpu);
	ran = rdtsc();
	barrier();
	if (!vcpu)
		report_event("check");
	for (uint64_t i = vcpu; args.check && i < args.nr_procs;
	     i += nr_cpus) {
		switch_space(vcpu, procs[i].cr3);
		pattern_check(&procs[i]);
	}
	barrier();
	checked = rdtsc();
	if (!vcpu) {
		report_summary(ran, ran - begin, checked - ran);
		power_off();
	}
	park();
}
