/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_MEM_GUEST_MEM_INTERNAL_H
#define VMM_MEM_GUEST_MEM_INTERNAL_H

#include "vmm/mem/guest-mem.h"

/* Bytes of a hugetlb page, or 0: not a hugetlb backing. */
uint64_t hugetlb_page_bytes(enum guest_mem_backing backing);
/*
 * Makes a memfd of nr_bytes; mapping it reserves the pages.  The descriptor,
 * -EINVAL (not a whole number of pages), -ENOENT (no pages of this size) or
 * -errno.
 */
int hugetlb_open(enum guest_mem_backing backing, uint64_t nr_bytes);
/* Allocates the reserved pages.  0 or -errno. */
int hugetlb_fill(int fd, uint64_t nr_bytes);

/*
 * A file in transparent huge pages, for memory of nr_bytes.  The descriptor, or
 * -errno: neither we nor a user namespace of ours may mount a tmpfs.
 */
int huge_file_new(uint64_t nr_bytes);

/* A memory slot of another process, if it maps a shared file. */
struct remote_file {
	int fd;				/* owned; -1: no file */
	uint8_t *map;			/* owned: our mapping of the slot */
	uint64_t offset;		/* of the slot's start in the file */
};

/* Opens the files behind the slots that have one.  0 or -errno. */
int remote_open(struct guest_mem *mem);
void remote_close(struct guest_mem *mem);

struct guest_mem {
	pid_t pid;			/* of a remote process, or 0 */
	struct remote_file *remote;	/* owned; by slot; NULL: our memory */
	struct guest_memslot slots[GUEST_MEM_MAX_SLOTS];
	unsigned int nr_slots;
	enum guest_mem_backing backing;
	void *map;			/* owned */
	size_t map_bytes;
	int fd;				/* owned: shared file, or -1 */
	uint64_t file_hva;		/* address of the file's offset 0 */
	int self_pidfd;	/* owned; for vectored advice to ourselves; or -1 */
	int pagemap_fd;			/* owned */
	bool no_scan;			/* tests: behave as before Linux 6.7 */
	uint64_t nr_discarded;		/* atomic */
	/* By block of 2 MiB; owned; words are atomic; NULL: none can be huge. */
	uint64_t *has_holes;
	bool has_faults;		/* see guest_mem_has_faults() */
	/* See guest_mem_stop_fault_around(). */
	int around_fd;			/* owned; -1: not stopped */
	uint64_t *no_around;		/* owned; by block of 2 MiB; or NULL */
	unsigned int nr_no_around;	/* bits set */
	uint16_t *pin_counts; /* owned; atomic counts: see guest-mem-pin.c */
	/*
	 * For residency-update.c; owned, or NULL.  stale: one bit for each
	 * block of frames; pointer and words are atomic.  The others: by gfn.
	 */
	uint64_t *stale, *scratch, *mapped;
	bool must_scan_all;		/* the next update queries all frames */
	uint64_t *evicted;		/* owned; words are atomic; or NULL */
	uint64_t *lost;			/* likewise; allocated with `evicted` */
	bool accessible_in_place;	/* evicted pages are still in RAM */
	int (*discard)(void *arg, struct gfn_range range);	/* or NULL */
	void *discard_arg;
};

/*
 * As guest_mem_residency() and guest_mem_mapped(), but they return -ECANCELED
 * soon after *stopping was set.
 */
int residency_until(const struct guest_mem *mem, struct gfn_range range,
		    uint64_t *resident, uint64_t *swapped,
		    const atomic_bool *stopping);
int mapped_until(const struct guest_mem *mem, struct gfn_range range,
		 uint64_t *mapped, const atomic_bool *stopping);

/* Sets self_pidfd, where the kernel can unmap many ranges in one call. */
void map_find_vectored(struct guest_mem *mem);

/* Calls madvise() with what all our mappings of guest memory need. */
void guest_mem_advise_new(const struct guest_mem *mem, void *p, size_t len);

#endif
