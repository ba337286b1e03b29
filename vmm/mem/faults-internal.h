/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by faults.c (threads, setup) and faults-pages.c (page operations). */
#ifndef VMM_MEM_FAULTS_INTERNAL_H
#define VMM_MEM_FAULTS_INTERNAL_H

#include <linux/userfaultfd.h>
#include <pthread.h>

#include "vmm/mem/faults.h"
#include "vmm/mem/guest-mem-internal.h"

#define FAULTS_SHARD_PAGES (UINT64_C(1) << 14)	/* 64 MiB */
#define FAULTS_BATCH	   16

struct faults_shard {
	struct guest_faults *faults;
	unsigned int index;
	int fd;			/* owned */
	pthread_t thread;
	bool has_thread;
	uint64_t retry_ns;	/* its thread's: next retry; 0: none */
	/* Its thread's: messages from next_msg on are still to be served. */
	struct uffd_msg msgs[FAULTS_BATCH];
	unsigned int nr_msgs, next_msg;
	uint64_t nr_missing, nr_write_protected;	/* atomic */
};

struct guest_faults {
	struct guest_mem *mem;		/* not owned */
	const struct guest_faults_ops *ops;
	void *arg;
	int stop_fd;			/* owned; an eventfd */
	bool stopping;			/* atomic */
	int empty_fd;			/* owned; an empty file */
	/*
	 * Memory is watched in blocks: 2 MiB times a power of two, at most 64
	 * MiB.  One whose neighbours are not watched costs one or two mappings.
	 */
	uint64_t block_pages;
	/* By gfn / block_pages: the block is watched.  Owned; atomic. */
	uint8_t *watched;
	unsigned int nr;
	struct faults_shard shards[];
};

static inline bool faults_is_stopping(const struct guest_faults *f)
{
	return __atomic_load_n(&f->stopping, __ATOMIC_ACQUIRE);
}

/* Registers a range of one shard.  0 or -errno. */
int faults_register(const struct guest_faults *faults, struct gfn_range range,
		    uint64_t mode);

#endif
