/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The far-memory store: pages, each identified by a number (its key),
 * compressed in memory, and the oldest of them in a log on a slower device if
 * there is one.  The store knows nothing of guests.
 *
 * A page that was put is kept until it is dropped: nothing is lost when a
 * device is full or fails to write (the put fails, or the page stays in
 * memory), and a get returns the page that was put, verified by a checksum of
 * the whole page, or an error.
 *
 * Locking: any thread; the caller serialises calls for one key.  No lock is
 * held during I/O or while a page is compressed.
 *
 * Time: whatever the device does, put and get return within timeout_ns plus the
 * CPU time needed, at once while the device is stalled (requests.h); drop
 * returns at once; store_free() within half a second.
 */
#ifndef VMM_STORE_STORE_H
#define VMM_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/store/health.h"
#include "vmm/store/page-code.h"
#include "vmm/store/store-device.h"

struct store;

struct store_config {
	uint64_t nr_keys;	/* keys are 0 to nr_keys - 1 */
	uint64_t mem_bytes;	/* limit for pages in memory; 1 MiB or more */
	struct store_device *device;	/* owned on success; NULL: no device */
	uint64_t timeout_ns;	/* of each request; 0: a second */
};

/*
 * -EINVAL, -ENOMEM, -EAGAIN (no threads), -EFBIG (the device is smaller than
 * 4 MiB).
 */
int store_new(struct store **storep, const struct store_config *config);
void store_free(struct store *store);
/* How long a get or put waits for the device, at most; 0: no device. */
uint64_t store_timeout_ns(const struct store *store);

/*
 * Puts a copy of the page, which must not change meanwhile; replaces what was
 * there.  0; -EINVAL: no such key; -ENOMEM; -ENOSPC: no room in any tier; else
 * the error of a write that was needed to make room, -ETIMEDOUT if it was not
 * answered in time.  After an error the key has no page.
 */
int store_put(struct store *store, struct page_coder *coder, uint64_t key,
	      const void *page);
/*
 * 0 and the page; -ENOENT; -errno of the device, -ETIMEDOUT if it did not
 * answer in time: retry later; -EBADMSG: the page is permanently damaged and
 * its data are dropped; the same error follows until the key is dropped or put
 * again.
 */
int store_get(struct store *store, struct page_coder *coder, uint64_t key,
	      void *page);
void store_drop(struct store *store, uint64_t key);
bool store_has(struct store *store, uint64_t key);

struct store_stats {
	uint64_t nr_pages;		/* in the store now */
	uint64_t nr_same;		/* of these: of one repeated word */
	/* In memory; bytes of slots and of blocks in use, as in slab.h. */
	uint64_t nr_mem, mem_used_bytes, mem_block_bytes;
	/* On the device; bytes of records and of segments, as in store-log.h */
	uint64_t nr_far, far_live_bytes, far_used_bytes;
	uint64_t nr_puts, nr_gets_far;	/* successful puts; device reads */
	uint64_t nr_demoted;		/* from memory to the device */
	uint64_t nr_cleaned;		/* moved on the device by cleaning */
	uint64_t nr_full;	/* puts refused: no room in any tier */
	uint64_t far_lost_bytes;	/* unused: a late write may hit them */
	/* As in health.h; without a device, damage and errors of memory. */
	enum device_state device_state;
	uint64_t nr_late_reads, nr_late_writes;
	uint64_t nr_read_errors, nr_write_errors;
	uint64_t nr_no_space, nr_disconnected, nr_damaged;
	uint64_t nr_wrong_segments;
	char last_error[128];		/* "": none so far */
	uint64_t last_error_ns;		/* clock_now_ns() */
};

void store_get_stats(struct store *store, struct store_stats *stats);

#endif
