/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constants of the answers on the control socket, shared by its server and its
 * clients.
 */
#ifndef VMM_UTIL_CONTROL_ANSWERS_H
#define VMM_UTIL_CONTROL_ANSWERS_H

/*
 * Maximum number of regions listed for one process; the others count in the
 * process's totals, and "nr_vmas_left_out" is their number.
 */
#define STAT_MAX_REGIONS 16384

/*
 * Idle ages in scans, 0 to STAT_AGES - 1, and their classes: 0, 1, 2, 3-4, 5-8,
 * ..., 65-128 and 129 or more.
 */
#define STAT_AGES	 256
#define STAT_AGE_CLASSES 10

/* The largest age of a class, in scans. */
static inline unsigned int stat_age_class_max(unsigned int class)
{
	if (class < 2)
		return class;
	return class < STAT_AGE_CLASSES - 1 ? 1u << (class - 1) : STAT_AGES - 1;
}

/* age: 0 to STAT_AGES - 1. */
static inline unsigned int stat_age_class(unsigned int age)
{
	unsigned int class = 0;

	while (class < STAT_AGE_CLASSES - 1 && stat_age_class_max(class) < age)
		class++;
	return class;
}

/* Bits of the runs in an answer of /map, in the order of its "bits". */
enum stat_map_bit {
	STAT_MAP_REGION,	/* in a region */
	STAT_MAP_MAPPED,	/* by the agent; no page table contradicts */
	STAT_MAP_PRESENT,	/* down to NO_ACCESS: from the page table */
	STAT_MAP_ACCESSED,
	STAT_MAP_DIRTY,
	STAT_MAP_HUGE,		/* 2 MiB or 1 GiB */
	STAT_MAP_GUEST_SWAP,
	STAT_MAP_NO_ACCESS,
	STAT_MAP_NOT_RAM,	/* from here on: of the frame, on the host */
	STAT_MAP_RESIDENT,
	STAT_MAP_HOST_SWAP,
	STAT_MAP_NR_BITS
};

#endif
