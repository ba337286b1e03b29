/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the slow tier of a store keeps its bytes: a file or block device of
 * this host, or any block service through NBD (nbdkit, qemu-nbd, Ceph).  The
 * contents are useless after the store ends and are not read at the start.
 *
 * These operations do the I/O and may block for any time, or for ever: they are
 * called only by the worker threads of requests.h, which gives requests a
 * deadline.
 *
 * Locking: a worker executes one request at a time, and all workers together at
 * most one write and one discard, of ranges that do not overlap.
 */
#ifndef VMM_STORE_STORE_DEVICE_H
#define VMM_STORE_STORE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

/* Offsets, lengths and buffers are multiples of this (for O_DIRECT). */
#define STORE_DEVICE_BLOCK   4096u
#define STORE_DEVICE_WORKERS 4	/* at most */

struct store_device;

struct store_worker {
	unsigned int index;	/* below the device's nr_workers */
	/*
	 * An eventfd of the caller's, readable when the request is cancelled: a
	 * device that can abort should do so, with -ECANCELED.
	 */
	int cancel_fd;
};

struct store_device_ops {
	/* Reads all of the range.  0 or -errno. */
	int (*read)(struct store_device *dev, const struct store_worker *worker,
		    void *buf, size_t len, uint64_t offset);
	/*
	 * Later reads return the data written.  -ENOLINK: the write was sent
	 * and its answer lost; it may be executed at any later time, or never.
	 */
	int (*write)(struct store_device *dev,
		     const struct store_worker *worker, const void *buf,
		     size_t len, uint64_t offset);
	/*
	 * The range is no longer in use; a hint, so that all errors but
	 * -ENOLINK are ignored.  May be NULL.
	 */
	int (*discard)(struct store_device *dev,
		       const struct store_worker *worker, size_t len,
		       uint64_t offset);
	void (*close)(struct store_device *dev);
};

/* Must come first in every device's own struct. */
struct store_device {
	const struct store_device_ops *ops;
	uint64_t bytes;
	const char *name;	/* for messages */
	unsigned int nr_workers;	/* requests at once; 0: maximum */
};

/*
 * A regular file is created, readable by its owner only, and unlinked at once,
 * so that nothing is left behind; bytes is its maximum size.  For a block
 * device bytes may be 0: all of it.  The host's page cache is bypassed if the
 * file system supports that.  -errno with why.
 */
int store_file_open(struct store_device **devp, const char *path,
		    uint64_t bytes, char *why, size_t len);
/*
 * nbd://host/export, nbd+unix:///export?socket=PATH ...; bytes as above.  After
 * a connection breaks, the next request reconnects.
 */
int store_nbd_open(struct store_device **devp, const char *uri, uint64_t bytes,
		   char *why, size_t len);

#endif
