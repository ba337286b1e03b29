/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the slow tier of a store keeps its bytes: a file or block device here,
 * or any block service through NBD (nbdkit, qemu-nbd, Ceph).  What is on it is
 * of no use once the store is gone: it is not read at the start.
 *
 * These operations do the I/O and may take any time, or for ever: nobody calls
 * them but the worker threads of requests.h, which gives requests a deadline.
 *
 * Locking: one request of each worker at a time; writes never overlap others.
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
	 * Readable when the result is not wanted any more; a device that can
	 * should give up then, with -ECANCELED.  Emptied by the caller.
	 */
	int cancel_fd;
};

struct store_device_ops {
	/* All of it: 0 or -errno. */
	int (*read)(struct store_device *dev, const struct store_worker *worker,
		    void *buf, size_t len, uint64_t offset);
	/*
	 * What is written is read from then on.  -ENOLINK: it was sent and no
	 * answer came; it may be written at any later time, or never.
	 */
	int (*write)(struct store_device *dev,
		     const struct store_worker *worker, const void *buf,
		     size_t len, uint64_t offset);
	/*
	 * The range is of no more use; a hint, so that all errors but -ENOLINK
	 * are nobody's business.  May be NULL.
	 */
	int (*discard)(struct store_device *dev,
		       const struct store_worker *worker, size_t len,
		       uint64_t offset);
	void (*close)(struct store_device *dev);
};

/* First in every device's own struct. */
struct store_device {
	const struct store_device_ops *ops;
	uint64_t bytes;
	const char *name;	/* for messages */
	unsigned int nr_workers;	/* requests at once; 0: as many as may */
};

/*
 * A regular file is made, with nobody else allowed to read it, and unlinked at
 * once, so that nothing is left behind; bytes is how large it may grow.  Of a
 * block device bytes may be 0: all of it.  The host's page cache is passed by
 * where the file system allows that.  -errno with why.
 */
int store_file_open(struct store_device **devp, const char *path,
		    uint64_t bytes, char *why, size_t len);
/*
 * nbd://host/export, nbd+unix:///export?socket=PATH ...; bytes as above.  A
 * connection that breaks is made anew for the next request.
 */
int store_nbd_open(struct store_device **devp, const char *uri, uint64_t bytes,
		   char *why, size_t len);

#endif
