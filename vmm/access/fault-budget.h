/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For sources that detect accesses by page faults: memory is armed, so that the
 * next access to a page faults, and the fault marks the page.
 *
 * An armed page that is not touched costs nothing however often it is scanned:
 * only pages in use cause faults.  A budget of faults per second bounds these:
 * memory is armed again in chunks of 2 MiB, round-robin, as many as the budget
 * allows if each causes as many faults as recent ones did.  Pages of a chunk
 * that is not armed again keep their marks and count as young.  So the source
 * may notice late that a hot page became cold, but never reports a touched page
 * as idle; and it can report which pages it only assumed to be young.
 *
 * A transparent huge page is a chunk that one fault marks: it costs next to
 * nothing, and is always armed again.  In small pages the chunk is 512 of them.
 *
 * Locking: none; all calls are from the thread that the source belongs to.
 */
#ifndef VMM_ACCESS_FAULT_BUDGET_H
#define VMM_ACCESS_FAULT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/access/source.h"
#include "vmm/mem/guest-mem.h"

/* How a source arms memory and reads the marks.  0 or -errno. */
struct fault_budget_ops {
	/* Sets the bit of each marked frame of the range, clears the others. */
	int (*read_accessed)(void *ctx, struct gfn_range range,
			     uint64_t *marked);
	/*
	 * Arms all pages of the range, with one system call: each interrupts
	 * the vCPUs once, however long the range is.
	 */
	int (*arm)(void *ctx, struct gfn_range range);
};

struct fault_budget;

/*
 * mem, ops and ctx, which is passed to ops, must outlive the budget.
 * per_second: faults that the guest may be made to take.  fault_pages: pages of
 * 4 KiB that one fault marks, but in a transparent huge page.  0 or -ENOMEM.
 */
int fault_budget_new(struct fault_budget **budgetp, struct guest_mem *mem,
		     uint64_t per_second, uint64_t fault_pages,
		     const struct fault_budget_ops *ops, void *ctx);
void fault_budget_free(struct fault_budget *budget);

/*
 * Parses a source's options, "faults=N"; NULL stands for the default.  0, or
 * -EINVAL or -ENOMEM with why.
 */
int fault_budget_parse(const char *options, uint64_t *per_second, char *why,
		       size_t len);
/* The same check as access_source_ops.check_options. */
int fault_budget_check(const char *options, char *why, size_t len);

/* Implement the source operations of the same names; see source.h. */
int fault_budget_arm(struct fault_budget *budget, struct gfn_range range);
int fault_budget_harvest(struct fault_budget *budget,
			 const struct access_source *src, struct gfn_range range,
			 uint64_t *young);
void fault_budget_assumed(struct fault_budget *budget, struct gfn_range range,
			  uint64_t *assumed);

#endif
