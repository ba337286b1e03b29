/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading how QEMU lays out guest memory, from what it prints and from how it
 * was started.  Pure: text in, numbers out.
 */
#ifndef VMM_QEMU_QEMU_LAYOUT_H
#define VMM_QEMU_QEMU_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_MAX_REGIONS 64

/* A part of a memory backend, where the guest sees it. */
struct qemu_region {
	char backend[64];
	uint64_t gpa, bytes;
	uint64_t offset;	/* in the backend */
};

/*
 * Guest RAM in what `info mtree -f` printed, of the memory address space, parts
 * that go on put together.  is_backend() tells which names are RAM: others are
 * ROMs and device memory.  The number of regions, -E2BIG (more than that) or
 * -EPROTO (none).
 */
int qemu_layout_mtree(const char *text,
		      bool (*is_backend)(const char *name, void *arg), void *arg,
		      struct qemu_region regions[QEMU_MAX_REGIONS]);

/* The address in what `gpa2hva` printed; false: it has none. */
bool qemu_layout_hva(const char *text, uint64_t *hva);

/*
 * By its command line, words that each end with '\0': bytes of RAM it was
 * started with, and of these below 4 GiB (x86 machine types pc, q35, microvm).
 * 0, or -EINVAL with why: not QEMU, or more than one part (NUMA nodes).
 */
int qemu_layout_cmdline(const char *words, size_t nr_bytes, uint64_t *ram,
			uint64_t *below_4g, char *why, size_t len);

/* The value of option `name` ("-uuid"), or NULL. */
const char *qemu_layout_option(const char *words, size_t nr_bytes,
			       const char *name);

#endif
