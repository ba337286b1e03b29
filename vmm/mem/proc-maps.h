/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process has mapped (/proc/PID/maps and smaps), and what stands in the
 * way of taking its pages.
 */
#ifndef VMM_MEM_PROC_MAPS_H
#define VMM_MEM_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_vma {
	uint64_t start, end;
	uint64_t page_bytes;	/* of the page tables: huge for hugetlb */
	bool writable, shared, is_file;
};

/*
 * All mappings of at least min_bytes, in order; *vmasp is malloc'ed.  page_bytes
 * is filled in only with `details`, which the kernel walks page tables for.  The
 * number of them, -ESRCH, or -errno.
 */
int proc_maps_read(pid_t pid, uint64_t min_bytes, bool details,
		   struct proc_vma **vmasp);

/*
 * Fills in page_bytes of one of these without a walk, which takes a large guest
 * of small pages longer than all else.  0 or -errno: `details` has to tell.
 */
int proc_maps_page_bytes(pid_t pid, struct proc_vma *vma);

/*
 * Is it impossible or useless to take pages of the process?  0; -EOPNOTSUPP with
 * why: a device of the host is assigned to the guest, or more than half of
 * guest_bytes is locked in RAM; -ESRCH; -EACCES.
 */
int proc_maps_refuse(pid_t pid, uint64_t guest_bytes, char *why, size_t len);

#endif
