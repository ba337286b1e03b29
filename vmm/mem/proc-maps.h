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
	uint64_t page_bytes;	/* page size: larger than 4 KiB for hugetlb */
	bool writable, shared, is_file;
};

/*
 * Reads all mappings of at least min_bytes, in order, into *vmasp, which the
 * caller frees with free().  page_bytes is filled in only with `details`, which
 * makes the kernel walk page tables.  Returns the number of mappings, -ESRCH or
 * -errno.
 */
int proc_maps_read(pid_t pid, uint64_t min_bytes, bool details,
		   struct proc_vma **vmasp);

/*
 * Fills in page_bytes of one such mapping without that walk, which for a large
 * guest in small pages takes longer than all else.  0; or -errno: call
 * proc_maps_read() with `details` instead.
 */
int proc_maps_page_bytes(pid_t pid, struct proc_vma *vma);

/*
 * Checks whether memory of the process can be reclaimed.  0: it can.
 * -EOPNOTSUPP with why: a host device is assigned to the guest, or more than
 * half of guest_bytes is locked in RAM.  -ESRCH, -EACCES or another -errno with
 * why: the process cannot be examined.
 */
int proc_maps_refuse(pid_t pid, uint64_t guest_bytes, char *why, size_t len);

#endif
