/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The part of Linux 7.3's <linux/userfaultfd.h> about read-write protection;
 * older headers lack it.
 */
#ifndef VMM_ACCESS_USERFAULTFD_RWP_H
#define VMM_ACCESS_USERFAULTFD_RWP_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1		/* Linux 5.11 */
#endif

#ifndef UFFDIO_RWPROTECT
#define UFFD_FEATURE_RWP	  (1 << 17)
#define UFFD_FEATURE_RWP_ASYNC	  (1 << 18)
#define UFFDIO_REGISTER_MODE_RWP  ((__u64)1 << 3)
#define UFFDIO_RWPROTECT_MODE_RWP ((__u64)1 << 0)

struct uffdio_rwprotect {
	struct uffdio_range range;
	__u64 mode;
};

#define UFFDIO_RWPROTECT _IOWR(UFFDIO, 0x09, struct uffdio_rwprotect)
#endif

#endif
