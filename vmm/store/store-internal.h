/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of vmm/store; private to them. */
#ifndef VMM_STORE_INTERNAL_H
#define VMM_STORE_INTERNAL_H

#include <pthread.h>

#include "vmm/store/fifo.h"
#include "vmm/store/health.h"
#include "vmm/store/slab.h"
#include "vmm/store/store-log.h"
#include "vmm/store/store.h"
#include "vmm/util/fair-lock.h"

enum store_tier {
	TIER_NONE,
	TIER_SAME,
	TIER_MEM,
	TIER_FAR,
	TIER_DAMAGED,	/* put, and damaged since; no data kept */
};

struct store_entry {		/* 16 bytes per key; zeros: no page */
	/* SAME: the repeated word; MEM: slab handle; FAR: device offset */
	uint64_t where;
	uint32_t sum;		/* page_checksum() */
	uint16_t len;		/* of the encoded data, bytes */
	uint8_t tier : 3, kind : 5;	/* enum store_tier, enum page_kind */
	uint8_t seq;		/* counts puts; shows which lines are stale */
};

struct store {
	struct fair_lock lock;	/* guards all below but nr_keys */
	uint64_t nr_keys;
	bool making_room;	/* a thread is in store_make_room() */
	pthread_cond_t room_made;	/* making_room has become false */
	struct store_entry *entries;	/* owned */
	struct slab *slab;		/* owned */
	struct log *log;		/* owned; NULL: memory only */
	struct fifo *queue;		/* owned; of TIER_MEM, oldest first */
	struct store_stats stats;
	unsigned int nr_released;	/* objects, since the last check */
	struct compaction *compaction;	/* owned; for making room; or NULL */
	struct health *health;		/* we hold a reference */
};

/* Allocates what making room needs; -ENOMEM. */
int compaction_new(struct compaction **roomp);
void compaction_free(struct compaction *room);

/*
 * Under the lock: frees an object in memory.  Others may be moved to fill the
 * hole, so handles must be read again.
 */
void store_release(struct store *store, uint64_t handle);

/* Not -ENOSPC, which a device can also return for a write. */
#define STORE_FULL 1

/*
 * Without the lock: moves the oldest pages in memory to the device. 0: there is
 * more room than before; STORE_FULL: there is no room on the device either;
 * -ETIMEDOUT after until_ns; else the device's error.
 */
int store_make_room(struct store *store, uint64_t until_ns);

#endif
