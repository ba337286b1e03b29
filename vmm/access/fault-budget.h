/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For sources that detect accesses by page faults: memory is armed, so that the
 * next access to a page faults, and the fault marks the page.
 *
 * An armed page that is not touched costs nothing however often it is scanned,
 * so only pages in use cost anything, and a budget of faults per second bounds
 * that cost: memory is rearmed in chunks of 2 MiB, round-robin, as many as the
 * budget allows if they cost as much as recent ones.  A page of a chunk that is
 * not rearmed keeps its mark and counts as young.  So with a budget the source
 * notices late that a hot page became cold, but never reports a touched page as
 * idle; and it can report which pages it only assumed to be young.
 *
 * A transparent huge page is a chunk that one fault marks: it costs next to
 * nothing, and is always rearmed.  The same chunk in small pages is one of 512.
 *
 * Locking: none; one thread, the source's.
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
	 * Arms all pages of the range, with one system call: each call
	 * interrupts the vCPUs once, whatever its length.
	 */
	int (*arm)(void *ctx, struct gfn_range range);
};

struct fault_budget;

/*
 * mem and ops must outlive the budget, and ctx is passed to ops.  per_second:
 * faults that the guest may be made to take.  fault_pages: pages of 4 KiB that
 * one fault marks, but in a transparent huge page.  0 or -ENOMEM.
 */
int fault_budget_new(struct fault_budget **budgetp, struct guest_mem *mem,
		     uint64_t per_second, uint64_t fault_pages,
		     const struct fault_budget_ops *ops, void *ctx);
void fault_budget_free(struct fault_budget *budget);

/*
 * The "faults=N" of a source's options, or NULL for the default.  0, or -EINVAL
 * with why.
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
