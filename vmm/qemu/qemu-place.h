/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding guest memory among the mappings of QEMU, which has each of its parts
 * (what it was started with, each DIMM) in one.  Pure: numbers in, numbers out.
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
	bool several;		/* not found: which of them, nothing tells */
};

/*
 * Sets hva of each part that can be told.  One that is given stays where a
 * mapping still ends as it does, and nobody else gets that; those of the same size
 * are told apart by it.  Of the others each is in the smallest mapping that is
 * large enough, the largest parts first; parts of one size of which several are
 * new can't be told apart: 0.
 */
void qemu_place(struct qemu_part *parts, unsigned int nr,
		const struct proc_vma *vmas, int nr_vmas);

#endif
