/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of vmm/store; not for others. */
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
	TIER_DAMAGED,	/* put, and nothing is left of it */
};

struct store_entry {		/* 16 bytes a key; zeros: nothing there */
	uint64_t where;		/* the word, the slab's handle, or the place */
	uint32_t sum;
	uint16_t len;
	uint8_t tier : 3, kind : 5;
	uint8_t seq;		/* of puts; tells a stale line of the queue */
};

struct store {
	struct fair_lock lock;	/* guards all below but nr_keys */
	uint64_t nr_keys;
	bool makes_room;	/* somebody does: of the log's next segment */
	pthread_cond_t room;	/* nobody does any more */
	struct store_entry *entries;	/* owned */
	struct slab *slab;		/* owned */
	struct log *log;		/* owned; NULL: memory only */
	struct fifo *queue;		/* owned; of TIER_MEM, oldest first */
	struct store_stats stats;
	unsigned int nr_released;	/* since holes were last looked at */
	struct room *scratch;		/* owned; of who makes room */
	struct health *health;		/* one user is ours */
};

/* What making room needs; -ENOMEM. */
int room_new(struct room **roomp);
void room_free(struct room *room);

/*
 * Under the lock: frees an object in memory.  Others may move to fill the hole,
 * so handles are to be read anew.
 */
void store_release(struct store *store, uint64_t handle);

/* Under the lock.  The entry is TIER_NONE afterwards. */
void store_forget(struct store *store, uint64_t key);

/* Not -ENOSPC, which a device can say to a write, too. */
#define STORE_FULL 1

/*
 * Without the lock: moves the oldest pages of memory to the device.  0: there
 * is more room than before; STORE_FULL: there is no room on the device either;
 * -ETIMEDOUT after until_ns; else what the device said.
 */
int store_make_room(struct store *store, uint64_t until_ns);

#endif
