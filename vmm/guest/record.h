/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recording of a guest's processes and their memory, written as the agent
 * reports them: each change of the reverse map as it is made, as text (the
 * format is in tests/bench/rmap-trace.h), to be replayed through every scheme
 * by tests/unit/rmap-replay.
 *
 * A recording never disturbs the guest: when the file can no longer be written,
 * or has reached the size limit (the agent decides how much it sends), this is
 * logged once, the file is truncated to the last complete report, and nothing
 * more is recorded.
 *
 * Locking: the caller holds the view's lock for writing.  The file is written
 * meanwhile, so it should be on a local disk.  All functions but record_open()
 * accept NULL: no recording.
 */
#ifndef VMM_GUEST_RECORD_H
#define VMM_GUEST_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "rmap/rmap.h"
#include "vmm/mem/addr.h"

#define RECORD_MAX_BYTES (UINT64_C(1) << 30)

struct record;

/*
 * Creates the file, or truncates it; a recording never exceeds max_bytes.  0,
 * -ENOMEM or -errno of opening it.
 */
int record_open(struct record **recp, const char *path, uint64_t nr_frames,
		uint64_t max_bytes);
/* Writes what is buffered, and closes the file. */
void record_close(struct record *rec);

void record_mm(struct record *rec, uint32_t pid);
void record_exit(struct record *rec, uint32_t pid);
void record_mmap(struct record *rec, uint32_t pid,
		 const struct rmap_vma_desc *desc);
/* The region that begins at start, with its pages. */
void record_munmap(struct record *rec, uint32_t pid, uint64_t start);
/* In these three, calls for neighbouring pages or frames make up one line. */
void record_map(struct record *rec, uint32_t pid, uint64_t addr, gfn_t gfn);
void record_unmap(struct record *rec, uint32_t pid, uint64_t addr);
void record_flags(struct record *rec, gfn_t gfn, uint32_t flags);

enum record_scan {
	RECORD_SCAN_ENDS,	/* rmap_flags_end() was called, and so on */
	RECORD_SCAN_BEGINS,
	RECORD_SCAN_CANCELLED,
};

void record_flags_scan(struct record *rec, enum record_scan scan);

/* A report is complete: writes it to the file. */
void record_sync(struct record *rec);

#endif
