/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The far-memory store: pages by number, compressed in memory, and the oldest
 * of them in a log on a slower device when there is one.  It knows nothing of
 * guests.
 *
 * What is put is there until it is dropped: nothing is lost when a device is
 * full or fails to write (the put fails, or the page stays in memory), and what
 * comes back is what was put, by a checksum of the whole page, or an error.
 *
 * Locking: any thread; calls for one key are the caller's to serialise.  No
 * lock is held during I/O or while a page is compressed.
 *
 * Time: whatever the device does, put and get return within timeout_ns and what
 * the CPU needs, at once while the device is stalled (requests.h), and drop at
 * once; store_free() within half a second.
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
	uint64_t nr_keys;	/* keys are below */
	uint64_t mem_bytes;	/* of compressed pages in memory; 1 MiB or more */
	struct store_device *device;	/* NULL: memory only; taken over */
	uint64_t timeout_ns;	/* of each request to it; 0: a second */
};

/* -EINVAL, -ENOMEM, -EAGAIN, -EFBIG (the device is smaller than 4 MiB). */
int store_new(struct store **storep, const struct store_config *config);
void store_free(struct store *store);
/* For how long a get or put waits for the device, at most; 0: there is none. */
uint64_t store_timeout_ns(const struct store *store);

/*
 * Puts a copy of the page, which must not change meanwhile; replaces what was
 * there.  0; -ENOSPC: no room in any tier; else what the device said to a write
 * that was needed to make room, -ETIMEDOUT when it said nothing.  After an
 * error the key has nothing.
 */
int store_put(struct store *store, struct page_coder *coder, uint64_t key,
	      const void *page);
/*
 * 0 and the page; -ENOENT; -errno of the device, -ETIMEDOUT when it said
 * nothing: try again; -EBADMSG: it is damaged for good, so that nothing
 * of it is kept, which it says until the key is dropped or put again.
 */
int store_get(struct store *store, struct page_coder *coder, uint64_t key,
	      void *page);
void store_drop(struct store *store, uint64_t key);
bool store_has(struct store *store, uint64_t key);

struct store_stats {
	uint64_t nr_pages;		/* in the store now */
	uint64_t nr_same;		/* of these: no bytes needed */
	uint64_t nr_mem, mem_used_bytes, mem_block_bytes;
	uint64_t nr_far, far_live_bytes, far_used_bytes, far_bytes;
	uint64_t nr_puts, nr_gets_mem, nr_gets_far;
	uint64_t nr_demoted;		/* from memory to the device */
	uint64_t nr_cleaned;		/* moved on the device, to make room */
	uint64_t nr_full;	/* puts refused as there was no room anywhere */
	uint64_t far_lost_bytes;	/* may be written to at any time */
	/* Of the device, as in health.h; with none, of memory. */
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
