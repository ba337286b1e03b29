/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk image: a file or block device, locked against other VMs.
 *
 * Long operations are done in pieces, and between pieces `stopped` is checked:
 * a stop waits for one piece, not for a request.
 *
 * Locking: none; one thread at a time.
 */
#ifndef VMM_DEV_BLK_IMAGE_H
#define VMM_DEV_BLK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLK_SECTOR	  512
/* Piece sizes: of a transfer, and of hole punching. */
#define BLK_PIECE_BYTES	  (UINT64_C(1) << 20)
#define BLK_DISCARD_PIECE (UINT64_C(64) << 20)

struct blk_image {
	int fd;			/* owned */
	uint64_t nr_sectors;
	bool read_only;
	/* Whether to cancel the operation in progress: -ECANCELED. */
	bool (*stopped)(void *arg);
	void *arg;
};

/*
 * Opens and locks path; the caller sets stopped and arg.  0 or -errno with why;
 * then nothing is open.
 */
int blk_image_open(struct blk_image *img, const char *path, bool read_only,
		   char *why, size_t len);
void blk_image_close(struct blk_image *img);

/* Whether these bytes, from sector on, are whole sectors of the disk. */
bool blk_image_has(const struct blk_image *img, uint64_t sector,
		   uint64_t bytes);
/*
 * Writes bytes [skip, skip + bytes) of iov, which has at most
 * VIRTQUEUE_MAX_SEGS entries, to the disk, or reads them; the sectors must be
 * on the disk (blk_image_has()).  0: all of them; or -errno.
 */
int blk_image_transfer(const struct blk_image *img, bool write, uint64_t sector,
		       const struct iovec *iov, unsigned int nr, size_t skip,
		       size_t bytes);
/*
 * Zeroes a range.  keep: its disk space stays allocated, if the file system can
 * do that.  0 or -errno.
 */
int blk_image_zero(const struct blk_image *img, bool keep, uint64_t sector,
		   uint64_t bytes);
int blk_image_flush(const struct blk_image *img);

#endif
