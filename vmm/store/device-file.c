// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/store/store-device.h"
#include "vmm/util/error-text.h"

struct file_device {
	struct store_device dev;
	int fd;			/* owned */
	bool is_block;
	/*
	 * O_DIRECT: a write reports its own I/O errors, and evicted memory does
	 * not end up in the page cache.  Atomic.
	 */
	bool is_direct;
	char name[];
};

/*
 * A file system that accepts O_DIRECT at open() may still not support it.
 * True: O_DIRECT was turned off, by us or by another thread, and the caller may
 * retry once.
 */
static bool give_up_direct(struct file_device *f, bool *tried)
{
	if (*tried)
		return false;
	*tried = true;
	/*
	 * Before the flag of the file is cleared, so that no write through the
	 * page cache is taken for a direct one: see file_write().
	 */
	__atomic_store_n(&f->is_direct, false, __ATOMIC_RELAXED);
	return !fcntl(f->fd, F_SETFL, fcntl(f->fd, F_GETFL) & ~O_DIRECT);
}

static int file_read(struct store_device *dev,
		     const struct store_worker *worker, void *buf, size_t len,
		     uint64_t offset)
{
	struct file_device *f = (struct file_device *)dev;
	bool tried = false;

	while (len) {
		ssize_t n = pread(f->fd, buf, len, offset);

		if (n < 0 && (errno == EINTR ||
			      (errno == EINVAL && give_up_direct(f, &tried))))
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		buf = (char *)buf + n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int write_all(struct file_device *f, const void *buf, size_t len,
		     uint64_t offset)
{
	bool tried = false;

	while (len) {
		ssize_t n = pwrite(f->fd, buf, len, offset);

		if (n < 0 && (errno == EINTR ||
			      (errno == EINVAL && give_up_direct(f, &tried))))
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (const char *)buf + n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* A write through the page cache reports I/O errors only in fdatasync(). */
static int file_write(struct store_device *dev,
		      const struct store_worker *worker, const void *buf,
		      size_t len, uint64_t offset)
{
	struct file_device *f = (struct file_device *)dev;
	int rc = write_all(f, buf, len, offset);

	if (rc || __atomic_load_n(&f->is_direct, __ATOMIC_RELAXED))
		return rc;
	if (fdatasync(f->fd))
		return -errno;
	posix_fadvise(f->fd, offset, len, POSIX_FADV_DONTNEED);
	return 0;
}

static int file_discard(struct store_device *dev,
			const struct store_worker *worker, size_t len,
			uint64_t offset)
{
	struct file_device *f = (struct file_device *)dev;
	uint64_t range[2] = { offset, len };
	int rc;

	if (f->is_block)
		rc = ioctl(f->fd, BLKDISCARD, range);
	else
		rc = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, offset, len);
	return rc ? -errno : 0;
}

static void file_close(struct store_device *dev)
{
	close(((struct file_device *)dev)->fd);
	free(dev);
}

static const struct store_device_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.discard = file_discard,
	.close = file_close,
};

/* Only a block device may exist: the content of a file would be lost. */
static int open_path(struct file_device *f, const char *path)
{
	struct stat st;
	int flags = O_RDWR | O_EXCL | O_CLOEXEC;

	f->is_block = !stat(path, &st) && S_ISBLK(st.st_mode);
	if (!f->is_block)
		flags |= O_CREAT;
	f->is_direct = true;
	f->fd = open(path, flags | O_DIRECT, 0600);
	if (f->fd < 0 && errno == EINVAL) {
		/* Some kernels create the file before they fail. */
		if (!f->is_block)
			unlink(path);
		f->is_direct = false;
		f->fd = open(path, flags, 0600);
	}
	return f->fd < 0 ? -errno : 0;
}

static int explain(int rc, const char *path, char *why, size_t len)
{
	switch (rc) {
	case -EEXIST:
		snprintf(why, len, "%s exists already, and its content would "
			 "be lost: name a file that does not exist", path);
		break;
	case -EBUSY:
		snprintf(why, len, "%s is in use (mounted, or as swap): name a "
			 "device that is not", path);
		break;
	case -EINVAL:
		snprintf(why, len, "%s is a file: give its largest size with "
			 "size=SIZE", path);
		break;
	case -EFBIG:
		snprintf(why, len, "%s: the block device is smaller than "
			 "size=: give a smaller size, or leave it out",
			 path);
		break;
	default:
		snprintf(why, len, "%s: %s", path, error_text(-rc));
	}
	return rc;
}

int store_file_open(struct store_device **devp, const char *path,
		    uint64_t bytes, char *why, size_t len)
{
	struct file_device *f = calloc(1, sizeof(*f) + strlen(path) + 1);
	uint64_t size = 0;
	int rc;

	if (!f)
		return explain(-ENOMEM, path, why, len);
	rc = open_path(f, path);
	if (rc) {
		free(f);
		return explain(rc, path, why, len);
	}
	if (!f->is_block) {
		unlink(path);
		rc = bytes ? 0 : -EINVAL;
	} else if (ioctl(f->fd, BLKGETSIZE64, &size)) {
		rc = -errno;
	} else if (bytes > size) {
		rc = -EFBIG;
	}
	if (rc) {
		file_close(&f->dev);
		return explain(rc, path, why, len);
	}
	strcpy(f->name, path);
	f->dev.ops = &file_ops;
	f->dev.name = f->name;
	f->dev.bytes = bytes ? bytes : size;
	*devp = &f->dev;
	return 0;
}
