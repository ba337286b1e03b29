/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the slow tier of a store keeps its bytes: a file or block device here,
 * or any block service through NBD (nbdkit, qemu-nbd, Ceph).  What is on it is
 * of no use once the store is gone: it is neither read at the start nor synced.
 *
 * Locking: any number of threads may read and write at once.
 */
#ifndef VMM_STORE_DEVICE_H
#define VMM_STORE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct store_device;

struct store_device_ops {
	/* All of it: 0 or -errno.  A range is never written twice at once. */
	int (*read)(struct store_device *dev, void *buf, size_t len,
		    uint64_t offset);
	int (*write)(struct store_device *dev, const void *buf, size_t len,
		     uint64_t offset);
	/* The range is of no more use; a hint.  May be NULL. */
	void (*discard)(struct store_device *dev, size_t len, uint64_t offset);
	void (*close)(struct store_device *dev);
};

/* First in every device's own struct. */
struct store_device {
	const struct store_device_ops *ops;
	uint64_t bytes;
};

/*
 * A regular file is made, with nobody else allowed to read it, and unlinked at
 * once, so that nothing is left behind; bytes is how large it may grow.  Of a
 * block device bytes may be 0: all of it.  -errno with why.
 */
int store_file_open(struct store_device **devp, const char *path,
		    uint64_t bytes, char *why, size_t len);
/* nbd://host/export, nbd+unix:///export?socket=PATH ...; bytes as above. */
int store_nbd_open(struct store_device **devp, const char *uri, uint64_t bytes,
		   char *why, size_t len);

#endif
