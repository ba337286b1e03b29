/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process has mapped (/proc/PID/maps and smaps), and what stands in the
 * way of taking its pages.
 */
#ifndef VMM_HOST_PROC_MAPS_H
#define VMM_HOST_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_vma {
	uint64_t start, end;
	uint64_t page_bytes;	/* of the page tables: huge for hugetlb */
	bool writable, shared, is_file;
	bool huge_advised;	/* MADV_HUGEPAGE */
	bool locked;		/* mlock() */
};

/*
 * All mappings of at least min_bytes, in order; *vmasp is malloc'ed.  page_bytes,
 * huge_advised and locked are filled in only with `details`, which the kernel
 * walks page tables for.  The number of them, -ESRCH, or -errno.
 */
int proc_maps_read(pid_t pid, uint64_t min_bytes, bool details,
		   struct proc_vma **vmasp);

/*
 * Is it impossible or useless to take pages of the process?  0; -EOPNOTSUPP with
 * why: a device of the host is assigned to the guest, or more than half of
 * guest_bytes is locked in RAM; -ESRCH; -EACCES.
 */
int proc_maps_refuse(pid_t pid, uint64_t guest_bytes, char *why, size_t len);

#endif
