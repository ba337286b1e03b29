/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the BPF program aging.bpf.c and its loader aging.c. */
#ifndef VMM_ACCESS_DAMON_AGING_WINDOW_H
#define VMM_ACCESS_DAMON_AGING_WINDOW_H

#include <linux/types.h>

#define AGING_MAX_WINDOWS 4

/*
 * Bytes.  Regions from here on hold no memory: physical addresses have 52 bits,
 * and no machine has memory this high.
 */
#define AGING_NOWHERE (1ULL << 51)

/* A run of guest frames: len bytes of host virtual memory from hva are the
 * frames from gfn on. */
struct aging_window {
	__u64 hva;
	__u64 len;
	__u64 gfn;
};

#endif
