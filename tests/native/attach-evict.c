// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach-evict PID [PAGES]: evicts the memory of a QEMU guest, a random part at
 * a time, hot or cold, until that many pages are evicted.  For attach-evict.sh,
 * which kills it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "vmm/qemu/qemu-guest.h"
#include "vmm/sink/sink.h"

#define PART	512		/* pages */
#define LIMIT_S 600

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "attach-evict: %s: %s\n", what, why);
	return 1;
}

int main(int argc, char **argv)
{
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink;
	const struct qemu_hints hints = { .vm_fd = -1 };
	struct qemu_memory memory;
	struct guest_mem *mem;
	uint64_t nr_enough;
	time_t end;
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	char why[512];
	int rc;

	if (qemu_guest_memory(pid, &hints, &memory, why, sizeof(why)) ||
	    qemu_guest_backing(pid, &memory, why, sizeof(why)))
		return fail("memory", why);
	if (guest_mem_attach(&mem, pid, memory.slots, memory.nr,
			     memory.backing))
		return fail("memory", "can't be attached to");
	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		return fail("swap", why);
	nr_enough = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
	end = time(NULL) + LIMIT_S;
	srand(getpid());
	do {
		const struct guest_memslot *s =
			&memory.slots[rand() % memory.nr];
		uint64_t at = rand() % s->nr_pages;
		struct gfn_range r = { GFN(s->base.v + at), PART };

		if (r.nr > s->nr_pages - at)
			r.nr = s->nr_pages - at;
		rc = sink->ops->evict(sink, &r, 1, &res);
		if (rc)
			return fail("evict", "the guest is gone");
	} while (res.evicted < nr_enough && time(NULL) < end);
	printf("%llu tried, %llu evicted, %llu kept\n",
	       (unsigned long long)res.tried, (unsigned long long)res.evicted,
	       (unsigned long long)res.kept);
	sink->ops->close(sink);
	guest_mem_free(mem);
	return 0;
}
