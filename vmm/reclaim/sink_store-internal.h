/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of sink_store.c (the pages) and sink_store_open.c (options, life). */
#ifndef VMM_RECLAIM_SINK_STORE_INTERNAL_H
#define VMM_RECLAIM_SINK_STORE_INTERNAL_H

#include <pthread.h>

#include "vmm/mem/faults.h"
#include "vmm/reclaim/sink.h"
#include "vmm/store/store.h"

/* In this order: from PAGE_STORED on the page is not in guest memory. */
enum page_state { PAGE_NONE, PAGE_EVICTING, PAGE_STORED, PAGE_LOADING };

struct sink_shard {
	pthread_mutex_t lock;		/* of the states of its frames */
	struct page_coder *coder;	/* owned; of the shard's thread */
	uint64_t *waiting;		/* owned; frames that can't be read */
	uint64_t nr_waiting;
	uint8_t page[STORE_PAGE_SIZE];	/* of the shard's thread */
};

struct sink_store {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	struct store *store;		/* owned */
	struct guest_faults *faults;	/* owned */
	uint8_t *states;		/* owned; enum page_state by gfn */
	struct sink_census census;
	struct page_coder *coder;	/* owned; of the engine's thread */
	uint8_t page[STORE_PAGE_SIZE];
	uint64_t put_failed;		/* the frame */
	struct reclaim_sink_stats stats;	/* atomic */
	unsigned int nr_shards;
	struct sink_shard shards[];
};

extern const struct guest_faults_ops sink_store_faults;

void sink_store_discard(void *arg, struct gfn_range range);
/* Resident pages, and within one shard both. */
int sink_store_evict_run(struct sink_store *s, struct gfn_range r);
int sink_store_prefetch(struct sink_store *s, struct gfn_range r);

#endif
