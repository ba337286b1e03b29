/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A map of pages in characters, for terminals: their states in the guest and on
 * the host, side by side.  A character is one page or, if there are too many
 * pages, a block of them.
 */
#ifndef VMM_CMD_INSPECT_PICTURE_H
#define VMM_CMD_INSPECT_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/util/control-answers.h"

/* Of two states with equally many pages of a block the later one is drawn. */
enum guest_state {
	GUEST_OUTSIDE, GUEST_NOTHING, GUEST_MAPPED, GUEST_NO_ACCESS, GUEST_SWAP,
	GUEST_PRESENT, GUEST_DIRTY, GUEST_ACCESSED, GUEST_WRITTEN,
	/* The same four in huge pages. */
	GUEST_HUGE_PRESENT, GUEST_HUGE_DIRTY, GUEST_HUGE_ACCESSED,
	GUEST_HUGE_WRITTEN,
	GUEST_NR
};

enum host_state {
	HOST_OUTSIDE, HOST_NOTHING, HOST_NOT_RAM, HOST_ABSENT, HOST_SWAP,
	HOST_RESIDENT,		/* its age is not known */
	HOST_AGE_FIRST,		/* first of the classes of ages */
	HOST_NR = HOST_AGE_FIRST + STAT_AGE_CLASSES
};

struct picture_sums {		/* pages */
	uint64_t guest[GUEST_NR], host[HOST_NR];
};

struct picture;

/* For addresses [start, end), in at most `rows` rows.  NULL: no memory. */
struct picture *picture_new(uint64_t start, uint64_t end, unsigned int width,
			    unsigned int rows);
void picture_free(struct picture *p);
/* bits: STAT_MAP_*; age -1: not known.  Pages outside are ignored. */
void picture_add(struct picture *p, uint64_t address, uint64_t nr_pages,
		 uint32_t bits, int age);
uint64_t picture_block_pages(const struct picture *p);
/* Prints the picture, and adds its pages to *sums. */
void picture_print(const struct picture *p, bool colour,
		   struct picture_sums *sums);
/* The legend, with the pages of each state that occurs. */
void picture_print_legend(const struct picture_sums *sums, bool colour);

#endif
