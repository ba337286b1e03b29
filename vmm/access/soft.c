// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Accesses without any accessed bit: guest memory in a memfd is unmapped, and
 * pages that are mapped again were touched.  Neither privilege nor a module nor
 * a feature of KVM is needed; the price is a minor fault for each touched page,
 * within a budget (fault-budget.h).
 *
 *   arm:      MADV_DONTNEED clears page table entries, ours and by KVM's MMU
 *             notifier the guest's; the pages stay in the page cache
 *   touch:    the fault finds the page and maps it
 *   harvest:  pagemap shows which pages are mapped
 *
 * Huge pages work the same, with one fault for each 2 MiB.
 *
 * The pages of a group of chunks (fault-budget.c) are read, and then unmapped:
 * an access in between (some 100 us) is missed by both windows.
 *
 * The kernel maps up to 64 KiB around a page that a read fault finds in the
 * page cache (mm/memory.c, do_fault_around), but not where a userfaultfd is
 * registered for write-protect faults.  Ours is registered for that only, and
 * never protects anything: guest_mem_stop_fault_around().
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/access/fault-budget.h"
#include "vmm/access/sources.h"

#define AROUND_PAGES 16u	/* mapped by one read fault: 64 KiB */

struct soft {
	struct access_source base;	/* first */
	struct guest_mem *mem;		/* not owned */
	struct fault_budget *budget;	/* owned */
};

static int soft_probe(const struct access_target *target, char *why, size_t len)
{
	if (guest_mem_pid(target->mem) != getpid()) {
		snprintf(why, len, "soft can only unmap memory of its own "
			 "process, not of another process's guest: use another "
			 "source");
		return -EOPNOTSUPP;
	}
	if (guest_mem_backing(target->mem) == GUEST_MEM_HUGETLB_1G) {
		snprintf(why, len, "soft unmaps 2 MiB at a time, which 1 GiB "
			 "pages do not allow: use --mem-backing hugetlb=2M");
		return -EOPNOTSUPP;
	}
	if (!guest_mem_is_shared(target->mem) &&
	    guest_mem_backing(target->mem) != GUEST_MEM_HUGETLB) {
		snprintf(why, len, "soft needs guest memory in a memfd: start "
			 "the guest with --mem-backing memfd or memfd-thp");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int read_accessed(void *ctx, struct gfn_range range, uint64_t *marked)
{
	struct soft *s = ctx;

	return guest_mem_mapped(s->mem, range, marked);
}

static int unmap(void *ctx, struct gfn_range range)
{
	struct soft *s = ctx;

	return guest_mem_unmap(s->mem, range);
}

static const struct fault_budget_ops budget_ops = {
	.read_accessed = read_accessed,
	.arm = unmap,
};

static void soft_close(struct access_source *src)
{
	struct soft *s = (struct soft *)src;

	guest_mem_allow_fault_around(s->mem);
	fault_budget_free(s->budget);
	free(s);
}

static int soft_open(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	uint64_t per_second, fault_pages =
		guest_mem_is_hugetlb(target->mem) ?
			guest_mem_leaf_pages(target->mem) : 1;
	struct soft *s;
	int rc = soft_probe(target, why, len);

	if (!rc)
		rc = fault_budget_parse(target->options, &per_second,
					why, len);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mem = target->mem;
	rc = fault_budget_new(&s->budget, s->mem, per_second, fault_pages,
			      &budget_ops, s);
	if (rc) {
		free(s);
		return rc;
	}
	rc = guest_mem_stop_fault_around(target->mem);
	s->base = (struct access_source){
		.ops = &access_source_soft,
		.granule_pages = fault_pages > 1 ? fault_pages :
				 rc ? AROUND_PAGES : 1,
		.assumed_are_mapped = true,
		.cost = ACCESS_COST_FAULT,
	};
	*srcp = &s->base;
	return 0;
}

static int soft_arm(struct access_source *src, struct gfn_range range)
{
	struct soft *s = (struct soft *)src;

	return fault_budget_arm(s->budget, range);
}

static int soft_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct soft *s = (struct soft *)src;

	return fault_budget_harvest(s->budget, src, range, young);
}

static void soft_assumed(struct access_source *src, struct gfn_range range,
			 uint64_t *assumed)
{
	struct soft *s = (struct soft *)src;

	fault_budget_assumed(s->budget, range, assumed);
}

const struct access_source_ops access_source_soft = {
	.name = "soft",
	.what = "unmaps guest memory and finds what is mapped again",
	.backing = GUEST_MEM_MEMFD,
	.check_options = fault_budget_check,
	.probe = soft_probe,
	.open = soft_open,
	.arm = soft_arm,
	.harvest = soft_harvest,
	.assumed = soft_assumed,
	.close = soft_close,
};
