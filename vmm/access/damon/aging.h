/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The aging recorder: which guest frames a kdamond found accessed while it
 * applied its young filter (aging.bpf.c).  The recorder clears no accessed bit.
 *
 * Needs CAP_BPF and CAP_PERFMON (or root), and a kernel with BPF on raw
 * tracepoints (CONFIG_BPF_EVENTS), those of KVM and, since 6.7, of DAMOS.
 * Frames are identified by host virtual address: a page of another process
 * inside a DAMON region is counted only if that process maps it at an address
 * that guest memory has in ours.
 *
 * Locking: one thread; aging_begin() to aging_end() while no other kdamond
 * can run.
 */
#ifndef VMM_ACCESS_DAMON_AGING_H
#define VMM_ACCESS_DAMON_AGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct aging;

/*
 * Whether it can be loaded here.  0, or -errno with the obstacle and remedy in
 * why.
 */
int aging_probe(char *why, size_t len);

/* 0 or -errno with why.  mem must outlive the recorder. */
int aging_open(struct aging **agingp, const struct guest_mem *mem, char *why,
	       size_t len);
void aging_close(struct aging *aging);

/* Records from here to aging_end().  DAMON's last region must begin at
 * AGING_NOWHERE (aging-window.h) or later, and those with memory before it. */
void aging_begin(struct aging *aging);
void aging_end(struct aging *aging);

/*
 * Whether, since aging_begin(), the kdamond entered its loop; and whether it
 * applied its scheme to all regions with memory.
 */
bool aging_has_started(const struct aging *aging);
bool aging_is_complete(const struct aging *aging);

/*
 * Takes the records of range out of the recorder: frames found young, and
 * frames whose state is unknown because DAMON sampled them before the scheme
 * tested them.  In each bitmap that is not NULL it sets the bits of these
 * frames and clears the range's other bits.
 */
void aging_take(struct aging *aging, struct gfn_range range, uint64_t *young,
		uint64_t *unknown);

#endif
