/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a process (/proc/PID/maps and smaps), and whether its pages
 * can be reclaimed.
 */
#ifndef VMM_MEM_PROC_MAPS_H
#define VMM_MEM_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_vma {
	uint64_t start, end;
	uint64_t page_bytes;	/* page size: huge for hugetlb */
	bool writable, shared, is_file;
};

/*
 * All mappings of at least min_bytes, in order; *vmasp is malloc'ed.
 * page_bytes is filled in only with `details`, which makes the kernel walk page
 * tables.  The number of them, -ESRCH, or -errno.
 */
int proc_maps_read(pid_t pid, uint64_t min_bytes, bool details,
		   struct proc_vma **vmasp);

/*
 * Fills in page_bytes of one of these without that walk, which for a large
 * guest in small pages takes longer than all else.  0 or -errno: read it with
 * `details`.
 */
int proc_maps_page_bytes(pid_t pid, struct proc_vma *vma);

/*
 * Checks whether reclaim from the process is impossible or useless. 0: no;
 * -EOPNOTSUPP with why: a host device is assigned to the guest, or more than
 * half of guest_bytes is locked in RAM; -ESRCH; -EACCES.
 */
int proc_maps_refuse(pid_t pid, uint64_t guest_bytes, char *why, size_t len);

#endif
