// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The view behind the real agent_server, with honest and lying agents: whatever
 * they send, the host's memory use is bounded and the next honest agent
 * produces a correct view.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-agent/protocol.h"
#include "tests/tap.h"
#include "vmm/guest/agent-server.h"

#define FRAMES	  16384u	/* 64 MiB */
#define MAX_BYTES ((UINT64_C(16) << 20) + FRAMES * UINT64_C(128))
#define MAX_MAPS  (FRAMES * UINT64_C(64))
#define MAX_MMS	  (FRAMES / 4 + 16)
#define PAGE	  UINT64_C(4096)
#define TRIES	  6000		/* of 10 ms: a limit for hangs only */

static struct guest_mem *mem;
static struct view *view;
static struct agent_server *as;
static int agent = -1;		/* our end */
static uint64_t nr_said, epoch;
static uint64_t most_bytes, most_maps, most_mms;

static struct view_stats stats_now(void)
{
	struct view_stats s;

	view_get_stats(view, &s);
	return s;
}

static struct rmap_stats map_now(void)
{
	struct rmap_stats s;

	view_rdlock(view);
	rmap_get_stats(view_map(view), &s);
	view_unlock(view);
	if (s.bytes_other > most_bytes)
		most_bytes = s.bytes_other;
	if (s.nr_mappings > most_maps)
		most_maps = s.nr_mappings;
	if (s.nr_mms > most_mms)
		most_mms = s.nr_mms;
	return s;
}

/* All of it; false when the server has hung up. */
static bool send_bytes(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(agent, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		p += n > 0 ? n : 0;
		len -= n > 0 ? n : 0;
	}
	return true;
}

static bool say(const struct protocol_message *msg)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME];

	nr_said++;
	return send_bytes(frame, protocol_encode(msg, frame, sizeof(frame)));
}

#define SAY(t, ...) \
	say(&(struct protocol_message){ .type = PROTOCOL_##t, __VA_ARGS__ })

static void mm(uint32_t pid, uint32_t flags)
{
	SAY(MM, .mm = { pid, flags, PROTOCOL_NO_PGD, "test" });
}

static void vma(uint64_t start, uint64_t nr, enum protocol_vma_op op)
{
	SAY(VMA, .vma = { start, start + nr * PAGE, start / PAGE, 0, 0,
			  PROTOCOL_VM_READ, op });
}

static void run(uint64_t vaddr, uint64_t gfn, uint32_t count, uint32_t flags)
{
	struct protocol_run r = { vaddr, gfn, count, flags };

	SAY(RUNS, .nr = 1, .runs = &r);
}

static void begin(bool full)
{
	SAY(EPOCH_BEGIN, .epoch = { ++epoch, full });
}

static void end(void)
{
	SAY(EPOCH_END, .epoch = { epoch, 0 });
}

/* A process of one region with nr pages from gfn on. */
static void process(uint32_t pid, uint64_t gfn, uint32_t nr)
{
	mm(pid, 0);
	vma(0x10000, nr, PROTOCOL_VMA_NEW);
	run(0x10000, gfn, nr, 0);
	SAY(MM_END, .pid = pid);
}

static bool wait_for(bool (*what)(uint64_t), uint64_t arg)
{
	for (int i = 0; i < TRIES; i++) {
		map_now();
		if (what(arg))
			return true;
		poll(NULL, 0, i < 10 ? 1 : 10);
	}
	return false;
}

static bool messages_are(uint64_t nr)
{
	return stats_now().nr_messages == nr;
}

static bool connections_are(uint64_t nr)
{
	struct view_stats s = stats_now();

	return s.nr_connections == nr && s.agent_connected;
}

static bool is_disconnected(uint64_t arg)
{
	(void)arg;
	return !stats_now().agent_connected;
}

/* Everything said so far has been applied. */
static bool heard(void)
{
	return wait_for(messages_are, nr_said);
}

static void hang_up(void)
{
	close(agent);
	agent = -1;
	wait_for(is_disconnected, 0);
	nr_said = stats_now().nr_messages;
}

static void call_only(void)
{
	uint64_t before = stats_now().nr_connections;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		tap_bail("no socketpair");
	agent = sv[1];
	agent_server_accept(sv[0], as);
	if (!wait_for(connections_are, before + 1))
		tap_bail("the server does not accept");
	nr_said = stats_now().nr_messages;
	epoch = 0;
}

static void call(void)
{
	call_only();
	SAY(HELLO, .hello = { 4096, PROTOCOL_FEAT_PFN, FRAMES });
}

static unsigned int pids_of(uint64_t gfn);

/* Two processes that share two frames; no others. */
static bool honest(void)
{
	struct rmap_stats s;

	begin(true);
	process(10, 100, 8);
	process(20, 106, 8);
	end();
	if (!heard())
		return false;
	s = map_now();
	return s.nr_mms == 2 && s.nr_vmas == 2 && s.nr_mappings == 16 &&
	       pids_of(100) == 10 && pids_of(106) == 30 && pids_of(107) == 30 &&
	       pids_of(113) == 20 && pids_of(114) == 0;
}

static bool add_pid(const struct rmap *map, uint64_t gfn,
		    const struct rmap_vma *v, uint64_t addr, void *arg)
{
	(void)map;
	(void)gfn;
	(void)addr;
	*(unsigned int *)arg += rmap_mm_id(rmap_vma_mm(v));
	return true;
}

/* The sum of the pids that map it. */
static unsigned int pids_of(uint64_t gfn)
{
	unsigned int sum = 0;
	struct rmap_walk_control rwc = { .arg = &sum, .rmap_one = add_pid };

	view_rdlock(view);
	rmap_walk(view_map(view), gfn, &rwc);
	view_unlock(view);
	return sum;
}

static void test_honest(void)
{
	struct view_process p = { 0 };
	struct view_stats s;

	is_int(agent_server_drop_cache(as, 1), -ENOTCONN,
	       "no agent, no request");
	call();
	ok(honest(), "two processes: who maps which frame");
	view_rdlock(view);
	ok(view_next_process(view, 0, &p) && p.pid == 10 && p.nr_vmas == 1 &&
	   p.nr_mapped == 8 && !p.has_pgd && view_next_process(view, 10, &p) &&
	   p.pid == 20 && !view_next_process(view, 20, &p) &&
	   !view_next_process(view, UINT32_MAX, &p) &&
	   !view_find_process(view, 11, &p), "the list of processes");
	view_unlock(view);
	s = stats_now();
	ok(s.agent_connected && s.epoch == 1 && s.nr_connections == 1 &&
	   s.nr_messages == 11 && !s.nr_rejected && s.last_update_ns &&
	   s.nr_bytes == 32 + 2 * 24 + 2 * (40 + 56 + 32 + 16), "counters");
	if (s.nr_bytes != 368)
		printf("# %llu bytes, %llu messages\n",
		       (unsigned long long)s.nr_bytes,
		       (unsigned long long)s.nr_messages);
	SAY(PRESSURE, .pressure = { .mem_total = 5, .dirty = 1,
				    .some_avg10 = 1234 });
	heard();
	s = stats_now();
	ok(s.guest.mem_total == 5 && s.guest.dirty == 1 &&
	   s.guest.psi_some_avg10 > 12.33 && s.guest.psi_some_avg10 < 12.35,
	   "memory pressure");
}

static void test_delta(void)
{
	begin(false);
	mm(10, PROTOCOL_MM_DELTA);
	vma(0x10000, 8, PROTOCOL_VMA_KEEP);
	run(0x10000, 200, 1, 0);
	run(0x11000, 0, 2, PROTOCOL_RUN_UNMAPPED);
	vma(0x90000, 4, PROTOCOL_VMA_NEW);
	SAY(MM_END, .pid = 10);
	SAY(FORGET, .pid = 20);
	SAY(FORGET, .pid = 21);
	end();
	heard();
	ok(pids_of(200) == 10 && !pids_of(100) && !pids_of(101) &&
	   pids_of(106) == 10 && map_now().nr_mms == 1 &&
	   map_now().nr_vmas == 2 && map_now().nr_mappings == 6,
	   "a delta: moved, unmapped, a new region, a process forgotten");
	begin(false);
	mm(4000, PROTOCOL_MM_DELTA);
	vma(0x10000, 8, PROTOCOL_VMA_NEW);
	run(0x10000, 300, 8, 0);
	SAY(MM_END, .pid = 4000);
	mm(10, PROTOCOL_MM_DELTA);
	vma(0x50000, 1, PROTOCOL_VMA_GONE);
	vma(0x10000, 4, PROTOCOL_VMA_KEEP);
	run(0x10000, 300, 4, 0);
	vma(0x91000, 4, PROTOCOL_VMA_NEW);
	run(0x91000, 300, 4, 0);
	SAY(MM_END, .pid = 10);
	end();
	heard();
	ok(!pids_of(300) && map_now().nr_mms == 1 && map_now().nr_vmas == 2 &&
	   map_now().nr_mappings == 6 && stats_now().agent_connected,
	   "a delta to what the host does not know is dropped");
	ok(honest(), "the next full report mends it");
}

static void test_names(void)
{
	struct view_process p = { 0 };

	begin(false);
	SAY(MM, .mm = { 30, 0, PROTOCOL_NO_PGD, "a\033[2J\xff\nb" });
	SAY(MM_END, .pid = 30);
	end();
	heard();
	view_rdlock(view);
	ok(view_find_process(view, 30, &p) && !strcmp(p.comm, "a?[2J??b"),
	   "a name is made fit for terminals and JSON");
	view_unlock(view);
}

static void test_connections(void)
{
	static const uint8_t request[] = { 8, 0, 0, 0, PROTOCOL_DROP_CACHE, 0,
					   0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0 };
	uint8_t frame[64];
	ssize_t n;

	is_int(agent_server_drop_cache(as, 0), -EINVAL,
	       "no request to drop nothing");
	is_int(agent_server_drop_cache(as, 4096), 0, "a request is made");
	n = recv(agent, frame, sizeof(frame), 0);
	ok(n == sizeof(request) && !memcmp(frame, request, n), "and comes");
	/* In the middle of a report, and of a message. */
	begin(true);
	process(50, 500, 5);
	mm(51, 0);
	send_bytes("\x38\0\0\0\6\0\0", 7);
	heard();
	hang_up();
	ok(pids_of(500) == 50 && pids_of(106) == 30,
	   "hanging up in the middle leaves what was told");
	call();
	ok(!stats_now().epoch && pids_of(500) == 50,
	   "the next agent has sent no report yet, and the last one's stays");
	ok(honest() && stats_now().epoch == 1, "its own has no trace of it");
	n = agent;
	call();
	ok(recv(n, frame, sizeof(frame), 0) == 0 && honest(),
	   "a second connection takes the place of the first");
	close(n);
	for (int i = 0; i < 100000 && stats_now().agent_connected; i++)
		agent_server_drop_cache(as, 1);
	ok(wait_for(is_disconnected, 0),
	   "an agent that reads nothing does not hold the host up");
	hang_up();
}

/* Each is refused at once; none leaves a trace. */
static void test_refused(void)
{
	static const char *const what[] = {
		"a frame beyond memory", "a run to beyond memory",
		"a run that wraps", "a pid beyond all", "flags beyond memory",
		"more frames than the guest has", "an unknown message",
		"a run outside its region",
	};

	for (unsigned int i = 0; i < sizeof(what) / sizeof(*what); i++) {
		uint64_t before = stats_now().nr_rejected;
		struct protocol_flags f = { FRAMES - 1, 2, 1 };

		call_only();
		SAY(HELLO, .hello = { 4096, 0, i == 5 ? FRAMES + 1 : FRAMES });
		begin(true);
		if (i == 3)
			mm(UINT32_MAX, 0);
		else if (i == 4)
			SAY(FLAGS, .nr = 1, .flags = &f);
		else if (i == 6)
			send_bytes("\0\0\0\0\x2a\0\0\0", 8);
		mm(60, 0);
		vma(0x10000, 16, PROTOCOL_VMA_NEW);
		run(0x10000, i == 0 ? FRAMES : i == 1 ? FRAMES - 1 :
		    i == 2 ? UINT64_MAX : 1, i == 7 ? 17 : 2, 0);
		ok(wait_for(is_disconnected, 0) &&
		   stats_now().nr_rejected == before + 1 && !pids_of(1),
		   "refused: %s", what[i]);
		hang_up();
	}
	call();
	ok(honest(), "after the refusals an honest agent is heard");
}

static bool in_bounds(void)
{
	map_now();
	return most_bytes <= MAX_BYTES && most_maps <= MAX_MAPS &&
	       most_mms <= MAX_MMS;
}

static void test_too_much(void)
{
	begin(true);
	for (uint32_t pid = 1; pid <= 10000; pid++)
		process(pid, pid, 1);
	end();
	heard();
	ok(in_bounds() && map_now().nr_mms == MAX_MMS &&
	   pids_of(MAX_MMS) == MAX_MMS && !pids_of(MAX_MMS + 1),
	   "10,000 processes: as many are kept as fit this guest");
	begin(true);
	for (uint32_t pid = 10000; pid; pid--) {
		mm(pid * 400, 0);
		SAY(MM_END, .pid = pid * 400);
	}
	end();
	heard();
	ok(in_bounds(), "10,000 others, told in the other order");
	begin(true);
	for (uint32_t pid = 1; pid <= 100; pid++)
		process(pid, 0, FRAMES);
	end();
	heard();
	ok(in_bounds() && most_maps > FRAMES && pids_of(77) > 0,
	   "1.6 million mappings: %llu were kept",
	   (unsigned long long)most_maps);
	begin(true);
	mm(7, 0);
	for (uint64_t i = 0; i < 300000; i++)
		vma((2 * i + 1) * PAGE, 1, PROTOCOL_VMA_NEW);
	SAY(MM_END, .pid = 7);
	end();
	heard();
	ok(in_bounds() && map_now().nr_vmas < 300000,
	   "300,000 regions: %llu were kept",
	   (unsigned long long)map_now().nr_vmas);
	ok(honest(), "all that goes with the next honest report");
	ok(map_now().bytes_other < most_bytes / 10,
	   "and so does its memory: %llu bytes at most, %llu now",
	   (unsigned long long)most_bytes,
	   (unsigned long long)map_now().bytes_other);
}

static uint32_t rnd(void)
{
	static uint32_t x = 20260707;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

/* A valid message with values anywhere near the bounds, or now and then not. */
static bool say_anything(void)
{
	static uint8_t frame[PROTOCOL_MAX_FRAME];
	uint64_t at = (1 + rnd() % 64) * 0x10000;
	struct protocol_run r = { at, rnd() % FRAMES, 1 + rnd() % 32, 0 };
	struct protocol_flags f = { rnd() % FRAMES, 1, rnd() & 0x7ff };
	static uint32_t pid = 1;
	struct protocol_message m = { .type = 1 + rnd() % 10, .nr = 1 };
	size_t len;

	switch (m.type) {
	case PROTOCOL_EPOCH_BEGIN:
		m.epoch = (struct protocol_epoch){ ++epoch, rnd() & 1 };
		break;
	case PROTOCOL_EPOCH_END: m.epoch.number = epoch; break;
	case PROTOCOL_MM:
		pid = 1 + rnd() % 64;
		m.mm = (struct protocol_mm){ pid, rnd() & 1,
			rnd() % FRAMES * PAGE, "any" };
		break;
	case PROTOCOL_MM_END: m.pid = pid; break;
	case PROTOCOL_FORGET: m.pid = 1 + rnd() % 64; break;
	case PROTOCOL_VMA:
		m.vma = (struct protocol_vma){ at, at + 0x10000, rnd() % 64, 0,
			rnd() % 4, rnd() & PROTOCOL_VM_ALL, rnd() % 3 };
		break;
	case PROTOCOL_RUNS: m.runs = &r; break;
	case PROTOCOL_FLAGS: m.flags = &f; break;
	case PROTOCOL_HELLO:
		m.type = PROTOCOL_PRESSURE;
		m.pressure = (struct protocol_pressure){ 0 };
		break;
	default: m.pressure = (struct protocol_pressure){ 0 }; break;
	}
	len = protocol_encode(&m, frame, sizeof(frame));
	if (!(rnd() % 64))
		frame[rnd() % len] ^= 1u << rnd() % 8;
	return send_bytes(frame, len);
}

/* Sections that obey the grammar, with contents that need not agree. */
static void say_sections(void)
{
	begin(true);
	end();
	for (int i = 0; i < 40; i++) {
		uint32_t pid = 1 + rnd() % 8, delta = rnd() & 1;
		uint64_t at = 0x10000 * (1 + rnd() % 4);

		begin(false);
		mm(pid, delta);
		if (delta && rnd() & 1)
			vma(at, 16, PROTOCOL_VMA_GONE);
		for (int k = 0; k < 4; k++, at += 0x10000) {
			vma(at, 16, delta && rnd() & 1 ? PROTOCOL_VMA_KEEP :
							 PROTOCOL_VMA_NEW);
			run(at, rnd() % 256, 1 + rnd() % 8, 0);
			run(at + 8 * PAGE, delta ? 0 : rnd() % 256,
			    1 + rnd() % 8, delta ? PROTOCOL_RUN_UNMAPPED : 0);
		}
		SAY(MM_END, .pid = pid);
		if (!(rnd() % 4))
			SAY(FORGET, .pid = 1 + rnd() % 8);
		end();
	}
}

static bool stop_reading;

/* Readers as the engine and the socket are, at the same time. */
static void *reader(void *arg)
{
	struct view_process p;

	(void)arg;
	while (!__atomic_load_n(&stop_reading, __ATOMIC_RELAXED)) {
		uint32_t after = 0;

		for (uint64_t gfn = 0; gfn < 256; gfn++)
			pids_of(gfn);
		view_rdlock(view);
		while (view_next_process(view, after, &p))
			after = p.pid;
		view_unlock(view);
	}
	return NULL;
}

static void test_random(void)
{
	uint64_t before = stats_now().nr_rejected;
	pthread_t thread;
	bool fine = true;

	if (pthread_create(&thread, NULL, reader, NULL))
		tap_bail("no thread");
	for (int i = 0; i < 150; i++) {
		hang_up();
		call();
		if (i % 3 == 0)
			say_sections();
		for (int k = 0; k < 300 && say_anything(); k++)
			;
		fine = in_bounds() && fine;
	}
	__atomic_store_n(&stop_reading, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ok(fine, "150 random agents, with readers meanwhile: within bounds");
	ok(stats_now().nr_rejected > before, "most were refused: %llu",
	   (unsigned long long)(stats_now().nr_rejected - before));
	hang_up();
	call();
	ok(honest(), "an honest agent gives a right view after them");
}

int main(void)
{
	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON) ||
	    view_new(&view, mem) || agent_server_new(&as, view))
		tap_bail("no memory");
	test_honest();
	test_delta();
	test_names();
	test_connections();
	test_refused();
	test_too_much();
	test_random();
	agent_server_free(as);
	view_free(view);
	guest_mem_free(mem);
	close(agent);
	return tap_done();
}
