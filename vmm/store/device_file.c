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

#include "vmm/store/device.h"

struct file_device {
	struct store_device dev;
	int fd;			/* owned */
	bool is_block;
};

static int file_read(struct store_device *dev, void *buf, size_t len,
		     uint64_t offset)
{
	int fd = ((struct file_device *)dev)->fd;

	while (len) {
		ssize_t n = pread(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		buf = (char *)buf + n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int file_write(struct store_device *dev, const void *buf, size_t len,
		      uint64_t offset)
{
	int fd = ((struct file_device *)dev)->fd;

	while (len) {
		ssize_t n = pwrite(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf = (const char *)buf + n;
		offset += n;
		len -= n;
	}
	return 0;
}

static void file_discard(struct store_device *dev, size_t len, uint64_t offset)
{
	struct file_device *f = (struct file_device *)dev;
	uint64_t range[2] = { offset, len };

	if (f->is_block)
		ioctl(f->fd, BLKDISCARD, range);
	else
		fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  offset, len);
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

/* A file that is there is somebody's: only block devices may be. */
static int open_path(const char *path, bool *is_block)
{
	struct stat st;

	*is_block = !stat(path, &st) && S_ISBLK(st.st_mode);
	if (*is_block)
		return open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int say(int rc, const char *path, char *why, size_t len)
{
	switch (rc) {
	case -EEXIST:
		snprintf(why, len, "%s exists already, and what is in it would "
			 "be lost: name a file that does not", path);
		break;
	case -EBUSY:
		snprintf(why, len, "%s is in use (mounted, or swap)", path);
		break;
	case -EINVAL:
		snprintf(why, len, "%s is a file: say how large it may grow, "
			 "with size=SIZE", path);
		break;
	case -EFBIG:
		snprintf(why, len, "%s: the block device is smaller than that",
			 path);
		break;
	default:
		snprintf(why, len, "%s: %s", path, strerror(-rc));
	}
	return rc;
}

int store_file_open(struct store_device **devp, const char *path,
		    uint64_t bytes, char *why, size_t len)
{
	struct file_device *f = calloc(1, sizeof(*f));
	uint64_t size = 0;
	int rc = 0;

	if (!f)
		return say(-ENOMEM, path, why, len);
	f->fd = open_path(path, &f->is_block);
	if (f->fd < 0) {
		rc = -errno;
	} else if (!f->is_block) {
		unlink(path);
		rc = bytes ? 0 : -EINVAL;
	} else if (ioctl(f->fd, BLKGETSIZE64, &size)) {
		rc = -errno;
	} else if (bytes > size) {
		rc = -EFBIG;
	}
	if (rc) {
		if (f->fd >= 0)
			close(f->fd);
		free(f);
		return say(rc, path, why, len);
	}
	f->dev.ops = &file_ops;
	f->dev.bytes = bytes ? bytes : size;
	*devp = &f->dev;
	return 0;
}
