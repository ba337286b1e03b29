// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/dev/blk-image.h"
#include "vmm/dev/virtqueue.h"
#include "vmm/util/error-text.h"

static int find_size(struct blk_image *img, const struct stat *st,
		     const char *path, char *why, size_t len)
{
	uint64_t bytes = st->st_size;

	if (S_ISBLK(st->st_mode) && ioctl(img->fd, BLKGETSIZE64, &bytes) < 0)
		bytes = 0;
	img->nr_sectors = bytes / BLK_SECTOR;
	if ((S_ISREG(st->st_mode) || S_ISBLK(st->st_mode)) && img->nr_sectors)
		return 0;
	snprintf(why, len, "disk '%s' is not a disk image: it must be a file "
		 "or block device of at least %d bytes", path, BLK_SECTOR);
	return -EINVAL;
}

int blk_image_open(struct blk_image *img, const char *path, bool read_only,
		   char *why, size_t len)
{
	struct stat st;
	int rc;

	img->read_only = read_only;
	/*
	 * O_NONBLOCK: a FIFO is refused below instead of blocking in open();
	 * disks ignore it.
	 */
	img->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC |
			     O_NONBLOCK);
	if (img->fd < 0 || fstat(img->fd, &st) < 0) {
		rc = -errno;
		snprintf(why, len, "disk '%s': %s%s", path, error_text(-rc),
			 !read_only && (rc == -EACCES || rc == -EROFS) ?
			 "; append ',ro' to use it read-only" : "");
		goto fail;
	}
	rc = find_size(img, &st, path, why, len);
	if (rc)
		goto fail;
	/* On a file system without locks the image is used unlocked. */
	if (!flock(img->fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) ||
	    errno != EWOULDBLOCK)
		return 0;
	snprintf(why, len, "disk '%s' is in use by another VM; give each VM "
		 "its own image, or append ',ro' in all of them", path);
	rc = -EBUSY;
fail:
	blk_image_close(img);
	return rc;
}

void blk_image_close(struct blk_image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
}

bool blk_image_has(const struct blk_image *img, uint64_t sector, uint64_t bytes)
{
	return !(bytes % BLK_SECTOR) && sector <= img->nr_sectors &&
	       bytes / BLK_SECTOR <= img->nr_sectors - sector;
}

static uint64_t piece(uint64_t left, uint64_t most)
{
	return left < most ? left : most;
}

int blk_image_transfer(const struct blk_image *img, bool write, uint64_t sector,
		       const struct iovec *iov, unsigned int nr, size_t skip,
		       size_t bytes)
{
	struct iovec slice[VIRTQUEUE_MAX_SEGS];
	size_t done = 0;

	while (done < bytes) {
		unsigned int n = iov_slice(iov, nr, skip + done,
					   piece(bytes - done, BLK_PIECE_BYTES),
					   slice, NULL);
		off_t off = sector * BLK_SECTOR + done;
		ssize_t rc;

		if (img->stopped(img->arg))
			return -ECANCELED;
		rc = write ? pwritev(img->fd, slice, n, off) :
			     preadv(img->fd, slice, n, off);
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return rc ? -errno : -EIO; /* the file shrank */
		done += rc;
	}
	return 0;
}

/*
 * Extents marked as zero, or a hole: both read as zeros.
 */
static int zero_piece(const struct blk_image *img, bool keep, off_t off,
		      off_t len)
{
	if (keep && !fallocate(img->fd, FALLOC_FL_ZERO_RANGE |
					FALLOC_FL_KEEP_SIZE, off, len))
		return 0;
	if (!fallocate(img->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       off, len))
		return 0;
	return -errno;
}

int blk_image_zero(const struct blk_image *img, bool keep, uint64_t sector,
		   uint64_t bytes)
{
	uint64_t off = sector * BLK_SECTOR, end = off + bytes, n;

	for (; off < end; off += n) {
		int rc;

		n = piece(end - off, BLK_DISCARD_PIECE);
		if (img->stopped(img->arg))
			return -ECANCELED;
		rc = zero_piece(img, keep, off, n);
		if (rc)
			return rc;
	}
	return 0;
}

int blk_image_flush(const struct blk_image *img)
{
	return fdatasync(img->fd) < 0 ? -errno : 0;
}
