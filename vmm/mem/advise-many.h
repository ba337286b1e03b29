/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Advice of madvise(2) for many ranges in as few system calls as possible. */
#ifndef VMM_MEM_ADVISE_MANY_H
#define VMM_MEM_ADVISE_MANY_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * For ranges of our own address space.  pidfd: of ourselves; one call then
 * advises nr ranges, which needs Linux 6.13 for a process without CAP_SYS_NICE.
 * -1: a call for each.  A range that the kernel refuses is skipped.
 */
void advise_many(int pidfd, const struct iovec *iov, size_t nr, int advice);

/*
 * After a process_madvise() of *iov that returned `done` bytes, or -1: moves
 * *iov past these and past the range at which it stopped, as the kernel refuses
 * that.  Returns how many of nr ranges are left.
 */
size_t advise_rest(const struct iovec **iov, size_t nr, ssize_t done);

#endif
