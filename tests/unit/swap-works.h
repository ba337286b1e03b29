/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests that evict to the host's swap: fails where that is not possible. */
#ifndef TESTS_UNIT_SWAP_WORKS_H
#define TESTS_UNIT_SWAP_WORKS_H

#include "tests/tap.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/sink/sink.h"

/* Before the first check.  nr_bytes: of memory to ask the sink for. */
static inline void check_that_swap_works(size_t nr_bytes)
{
	struct guest_mem *mem;
	char why[512];
	int rc;

	if (guest_mem_new(&mem, nr_bytes, GUEST_MEM_ANON))
		tap_bail("no memory");
	rc = sink_swap.probe(mem, why, sizeof(why));
	guest_mem_free(mem);
	if (rc)
		tap_fail_all(why);
}

#endif
