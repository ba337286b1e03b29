/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The aging recorder: a bit for each guest frame whose second-level accessed
 * bit was found set when anybody in the kernel cleared it (aging.bpf.c).  It
 * clears nothing itself; it makes the clearing of others lossless.
 *
 * Needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN), a kernel with BTF and
 * tracing of functions (CONFIG_DEBUG_INFO_BTF, CONFIG_DYNAMIC_FTRACE).
 */
#ifndef VMM_ACCESS_AGING_H
#define VMM_ACCESS_AGING_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest_mem.h"

struct aging;

/* Can it be loaded here?  0, or -errno with the obstacle and remedy in why. */
int aging_probe(char *why, size_t len);

/* 0 or -errno with why.  mem must outlive the recorder. */
int aging_open(struct aging **agingp, const struct guest_mem *mem, char *why,
	       size_t len);
void aging_close(struct aging *aging);

/*
 * Takes the recorded bits of range out of the recorder; with young not NULL
 * stores them there (bits of the range that are not recorded are cleared).
 * Safe while the kernel records.
 */
void aging_take(struct aging *aging, struct gfn_range range, uint64_t *young);

#endif
