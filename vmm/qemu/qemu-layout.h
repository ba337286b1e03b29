/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Derives how QEMU lays out guest memory, from the output of its monitor or
 * from its command line.  Pure: text in, numbers out.
 */
#ifndef VMM_QEMU_QEMU_LAYOUT_H
#define VMM_QEMU_QEMU_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_MAX_REGIONS 64

/* A part of a memory backend, as mapped into the guest. */
struct qemu_region {
	char backend[64];
	uint64_t gpa, bytes;
	uint64_t offset;	/* in the backend, bytes */
};

/*
 * Guest RAM in the output of `info mtree -f`, from the address space "memory",
 * with adjacent parts merged.  is_backend() says which names are RAM: others
 * are ROMs and device memory.  The number of regions, -E2BIG (over
 * QEMU_MAX_REGIONS) or -EPROTO (none).
 */
int qemu_layout_mtree(const char *text,
		      bool (*is_backend)(const char *name, void *arg), void *arg,
		      struct qemu_region regions[QEMU_MAX_REGIONS]);

/* The host address in the output of `gpa2hva`; false: it has no address. */
bool qemu_layout_hva(const char *text, uint64_t *hva);

/*
 * From the command line, words that each end with '\0' (/proc/PID/cmdline):
 * bytes of initial RAM, and how many of these are below 4 GiB (x86 machine
 * types pc, q35, microvm).  0, or -EINVAL with why: not QEMU, or more than one
 * part (NUMA nodes).
 */
int qemu_layout_cmdline(const char *words, size_t nr_bytes, uint64_t *ram,
			uint64_t *below_4g, char *why, size_t len);

/* The value of option `name` (such as "-uuid"), in words; NULL: not given. */
const char *qemu_layout_option(const char *words, size_t nr_bytes,
			       const char *name);

#endif
