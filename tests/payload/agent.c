// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The payload is its own agent: it sends the host its address spaces as a Linux
 * agent would send processes, once.  This data is correct by construction, and
 * tests compare with it.
 */
#include "guest-agent/protocol.h"
#include "tests/payload/payload.h"
#include "tests/payload/vsock.h"

#define SHARED_DEV	1
#define SHARED_INODE	1

static const struct agent_view *view;
static bool broken;

static void send(const struct protocol_message *msg)
{
	static uint8_t frame[PROTOCOL_HEADER_SIZE + 64 * 24];
	size_t len = protocol_encode(msg, frame, sizeof(frame));

	if (!len || broken || !vsock_send(frame, len))
		broken = true;
}

static void send_flags(uint64_t gfn, uint64_t nr, uint32_t flags)
{
	const struct protocol_flags record = { gfn, (uint32_t)nr, flags };
	const struct protocol_message msg = {
		.type = PROTOCOL_FLAGS, .nr = 1, .flags = &record,
	};

	if (nr)
		send(&msg);
}

static void send_region_flags(const struct region *region, uint32_t flags)
{
	for (unsigned int i = 0; i < region->nr_extents; i++)
		send_flags(region->extents[i].gfn, region->extents[i].nr,
			   flags);
}

static void send_all_flags(void)
{
	const struct extent image = memory_image(), pool = memory_pool();
	const struct region *shared = view->procs[0].shared_region;
	struct extent ext = { 0, 0 };
	uint64_t next = pool.gfn;

	/* Firmware and the image: below it nothing is ours. */
	send_flags(0, image.gfn + image.nr, PROTOCOL_PG_RESERVED);
	for (unsigned int i = 0; memory_tables(i, &ext); i++) {
		send_flags(next, ext.gfn - next, PROTOCOL_PG_SLAB);
		send_flags(ext.gfn, ext.nr, PROTOCOL_PG_PGTABLE);
		next = ext.gfn + ext.nr;
	}
	send_flags(next, pool.gfn + pool.nr - next, PROTOCOL_PG_SLAB);
	if (shared)
		send_region_flags(shared, PROTOCOL_PG_SWAPBACKED);
	for (unsigned int i = 0; i < view->nr_procs; i++)
		send_region_flags(&view->procs[i].private_region,
				  PROTOCOL_PG_ANON | PROTOCOL_PG_SWAPBACKED);
	ext = (struct extent){ 0, 0 };
	while (memory_next_free(&ext))
		send_flags(ext.gfn, ext.nr, PROTOCOL_PG_FREE);
}

static void send_pressure(void)
{
	struct protocol_message msg = { .type = PROTOCOL_PRESSURE };

	msg.pressure.mem_total = memory_ram_pages() << PAGE_SHIFT;
	msg.pressure.mem_free = memory_free_pages() << PAGE_SHIFT;
	msg.pressure.mem_available = msg.pressure.mem_free;
	send(&msg);
}

static void send_region(const struct region *region)
{
	struct protocol_run runs[MAX_EXTENTS];
	struct protocol_message msg = { .type = PROTOCOL_VMA };
	uint64_t va = region->va;

	msg.vma = (struct protocol_vma){
		.start = va, .end = va + (region->nr << PAGE_SHIFT),
		.pgoff = va >> PAGE_SHIFT,
		.flags = PROTOCOL_VM_READ | PROTOCOL_VM_WRITE,
		.op = PROTOCOL_VMA_NEW,
	};
	if (region->shared) {
		msg.vma.flags |= PROTOCOL_VM_SHARED;
		msg.vma.pgoff = 0;
		msg.vma.dev = SHARED_DEV;
		msg.vma.inode = SHARED_INODE;
	}
	send(&msg);
	for (unsigned int i = 0; i < region->nr_extents; i++) {
		const struct extent *ext = &region->extents[i];

		runs[i] = (struct protocol_run){
			.vaddr = va, .gfn = ext->gfn,
			.count = (uint32_t)ext->nr,
		};
		va += ext->nr << PAGE_SHIFT;
	}
	msg = (struct protocol_message){ .type = PROTOCOL_RUNS,
					 .nr = region->nr_extents,
					 .runs = runs };
	send(&msg);
}

static void send_proc(const struct proc *proc)
{
	struct protocol_message msg = { .type = PROTOCOL_MM };

	msg.mm.pid = PAYLOAD_PID_BASE + proc->index;
	msg.mm.pgd = proc->cr3;
	memcpy(msg.mm.comm, "payload", 7);
	send(&msg);
	send_region(&proc->private_region);
	if (proc->shared_region)
		send_region(proc->shared_region);
	msg = (struct protocol_message){ .type = PROTOCOL_MM_END,
					 .pid = PAYLOAD_PID_BASE + proc->index };
	send(&msg);
}

static void send_report(void)
{
	struct protocol_message msg = { .type = PROTOCOL_EPOCH_BEGIN };

	msg.epoch.number = 1;
	msg.epoch.flags = PROTOCOL_EPOCH_FULL;
	send(&msg);
	send_all_flags();
	send_pressure();
	for (unsigned int i = 0; i < view->nr_procs; i++)
		send_proc(&view->procs[i]);
	msg.type = PROTOCOL_EPOCH_END;
	msg.epoch.flags = 0;
	send(&msg);
}

static void send_hello(void)
{
	struct protocol_message msg = { .type = PROTOCOL_HELLO };

	msg.hello.page_size = PROTOCOL_PAGE_SIZE;
	msg.hello.features = PROTOCOL_FEAT_PFN | PROTOCOL_FEAT_FLAGS |
			     PROTOCOL_FEAT_PGD;
	msg.hello.nr_frames = memory_ram_pages();
	send(&msg);
}

const char *agent_start(const struct agent_view *v)
{
	const char *why = vsock_connect(VMM_AGENT_VSOCK_PORT);

	if (why)
		return why;
	view = v;
	send_hello();
	send_report();
	return broken ? "the-host-does-not-take-the-report" : NULL;
}

void agent_poll(void)
{
	uint8_t buf[256];

	/* It announces no feature that the host makes requests of. */
	while (view && !broken && vsock_recv(buf, sizeof(buf)))
		;
}
