/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds guest memory among the mappings of QEMU, where each part of it (the
 * initial RAM, each DIMM) is in one mapping.  Pure: numbers in, numbers out.
 */
#ifndef VMM_QEMU_QEMU_PLACE_H
#define VMM_QEMU_QEMU_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/mem/proc-maps.h"

#define QEMU_MAX_PARTS 32

struct qemu_part {
	uint64_t gpa, bytes;
	uint64_t hva;		/* 0: to be found */
	bool several;		/* not found, as several mappings fit equally */
};

/*
 * Sets hva of each part whose mapping can be identified, and to 0 in the
 * others.  A part with a given hva keeps it if a mapping still ends where the
 * part does, and no other part gets that address; so parts of equal size stay
 * distinct.  Then each other part, the largest first, is assumed to be in the
 * smallest remaining mapping that is large enough.  Several such parts of equal
 * size are ambiguous, and get 0.
 */
void qemu_place(struct qemu_part *parts, unsigned int nr,
		const struct proc_vma *vmas, int nr_vmas);

#endif
