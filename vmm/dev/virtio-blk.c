// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk on a file or block device (virtio 1.2, section 5.2).
 *
 * One thread a device takes requests in order and does them with preadv() and
 * pwritev() straight on guest memory, without the lock, so that a slow disk
 * delays neither registers nor other devices.  A reset waits for the request
 * under way (`busy`), since its buffers are then the guest's again.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"

#define SECTOR		512
/* Header and status take two descriptors, an indirect table one more. */
#define SEG_MAX		128
#define MAX_DISCARD	(UINT32_C(1) << 21) /* sectors: 1 GiB a request */

struct virtio_blk {
	struct virtio_device dev; /* must come first */
	struct virtio_blk_config config;
	int fd;			/* owned */
	uint64_t nr_sectors;
	bool read_only;
	char id[VIRTIO_BLK_ID_BYTES];
	pthread_t thread;
	/* Locked by dev.lock: */
	bool quit, busy;
	uint64_t nr_stops;	/* a request begun before one is not pushed */
	pthread_cond_t idle;	/* busy became false */
};

static struct virtio_blk *to_blk(struct virtio_device *dev)
{
	return (struct virtio_blk *)dev;
}

/* Whether [sector, sector + bytes) is on the disk, in whole sectors. */
static bool on_disk(const struct virtio_blk *blk, uint64_t sector,
		    uint64_t bytes)
{
	return !(bytes % SECTOR) && sector <= blk->nr_sectors &&
	       bytes / SECTOR <= blk->nr_sectors - sector;
}

/* All of the bytes, or -errno. */
static int transfer(struct virtio_blk *blk, bool write, uint64_t sector,
		    const struct iovec *iov, unsigned int nr, size_t skip,
		    size_t bytes)
{
	struct iovec slice[VIRTQUEUE_MAX_SEGS];
	size_t done = 0;

	while (done < bytes) {
		unsigned int n = iov_slice(iov, nr, skip + done, bytes - done,
					   slice, NULL);
		off_t off = sector * SECTOR + done;
		ssize_t rc = write ? pwritev(blk->fd, slice, n, off) :
				     preadv(blk->fd, slice, n, off);

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return rc ? -errno : -EIO; /* the file shrank */
		done += rc;
	}
	return 0;
}

static int read_sectors(struct virtio_blk *blk, uint64_t sector,
			const struct virtqueue_chain *chain)
{
	size_t bytes = chain->in_bytes - 1; /* the last is the status */

	if (!on_disk(blk, sector, bytes))
		return -EINVAL;
	return transfer(blk, false, sector, chain->iov + chain->nr_out,
			chain->nr_in, 0, bytes);
}

static int write_sectors(struct virtio_blk *blk, uint64_t sector,
			 const struct virtqueue_chain *chain, bool through)
{
	const size_t hdr = sizeof(struct virtio_blk_outhdr);
	size_t bytes = chain->out_bytes - hdr;
	int rc;

	if (blk->read_only)
		return -EROFS;
	if (!on_disk(blk, sector, bytes))
		return -EINVAL;
	rc = transfer(blk, true, sector, chain->iov, chain->nr_out, hdr, bytes);
	if (!rc && through && fdatasync(blk->fd) < 0)
		rc = -errno;
	return rc;
}

/* A hole reads as zeros; without one, extents marked zero do as well. */
static int zero_range(struct virtio_blk *blk, bool keep, off_t off, off_t len)
{
	if (keep && !fallocate(blk->fd, FALLOC_FL_ZERO_RANGE |
					FALLOC_FL_KEEP_SIZE, off, len))
		return 0;
	if (!fallocate(blk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       off, len))
		return 0;
	return -errno;
}

/* Discard and write-zeroes: one range, as the config space says. */
static int discard(struct virtio_blk *blk, bool zeroes,
		   const struct virtqueue_chain *chain)
{
	struct virtio_blk_discard_write_zeroes range;
	const size_t hdr = sizeof(struct virtio_blk_outhdr);
	uint64_t sector, bytes;
	uint32_t flags;

	if (blk->read_only)
		return -EROFS;
	if (chain->out_bytes != hdr + sizeof(range) ||
	    virtqueue_copy_out(chain, hdr, &range, sizeof(range)) <
	    sizeof(range))
		return -EINVAL;
	sector = le64toh(range.sector);
	bytes = (uint64_t)le32toh(range.num_sectors) * SECTOR;
	flags = le32toh(range.flags);
	if (flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0))
		return -EOPNOTSUPP;
	if (bytes / SECTOR > MAX_DISCARD || !on_disk(blk, sector, bytes))
		return -EINVAL;
	if (!bytes)
		return 0;
	return zero_range(blk, zeroes && !flags, sector * SECTOR, bytes);
}

static int get_id(struct virtio_blk *blk, const struct virtqueue_chain *chain)
{
	size_t room = chain->in_bytes - 1;

	virtqueue_copy_in(chain, 0, blk->id,
			  room < sizeof(blk->id) ? room : sizeof(blk->id));
	return 0;
}

static int execute(struct virtio_blk *blk, const struct virtqueue_chain *chain,
		   bool through)
{
	struct virtio_blk_outhdr hdr;
	uint64_t sector;

	if (virtqueue_copy_out(chain, 0, &hdr, sizeof(hdr)) < sizeof(hdr))
		return -EINVAL;
	sector = le64toh(hdr.sector);
	switch (le32toh(hdr.type)) {
	case VIRTIO_BLK_T_IN:
		return read_sectors(blk, sector, chain);
	case VIRTIO_BLK_T_OUT:
		return write_sectors(blk, sector, chain, through);
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(blk->fd) < 0 ? -errno : 0;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(blk, chain);
	case VIRTIO_BLK_T_DISCARD:
		return discard(blk, false, chain);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return discard(blk, true, chain);
	default:
		return -EOPNOTSUPP;
	}
}

/* Does the request; returns the bytes written to the guest, status included. */
static uint32_t complete(struct virtio_blk *blk,
			 const struct virtqueue_chain *chain, bool through)
{
	int rc = execute(blk, chain, through);
	uint8_t status = !rc ? VIRTIO_BLK_S_OK :
			 rc == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP :
					     VIRTIO_BLK_S_IOERR;

	virtqueue_copy_in(chain, chain->in_bytes - 1, &status, 1);
	return rc || chain->in_bytes > UINT32_MAX ? 1 : chain->in_bytes;
}

/* One request, with the lock dropped while it lasts.  As virtqueue_pop(). */
static int serve_one(struct virtio_blk *blk, struct virtqueue *vq)
{
	bool through = !virtio_device_has(&blk->dev, VIRTIO_BLK_F_FLUSH);
	uint64_t nr_stops = blk->nr_stops;
	struct virtqueue_chain chain;
	uint32_t written;
	int rc = virtqueue_pop(vq, &chain);

	if (rc <= 0)
		return rc;
	if (!chain.in_bytes)
		return virtqueue_break(vq, "a disk request without a status");
	blk->busy = true;
	pthread_mutex_unlock(&blk->dev.lock);
	written = complete(blk, &chain, through);
	pthread_mutex_lock(&blk->dev.lock);
	blk->busy = false;
	pthread_cond_broadcast(&blk->idle);
	if (blk->nr_stops != nr_stops)
		return 0;
	virtqueue_push(vq, &chain, written);
	return 1;
}

static void serve_queue(struct virtio_blk *blk)
{
	struct virtqueue *vq = &blk->dev.queues[0];
	int rc;

	do {
		virtqueue_forbid_notify(vq);
		do {
			rc = blk->quit || !virtio_device_queue_ok(&blk->dev, 0)
				? 0 : serve_one(blk, vq);
			virtio_device_used(&blk->dev, 0);
		} while (rc > 0);
		if (rc < 0)
			virtio_device_needs_reset(&blk->dev);
	} while (!blk->quit && virtio_device_queue_ok(&blk->dev, 0) &&
		 virtqueue_allow_notify(vq));
}

static void *blk_thread(void *arg)
{
	struct virtio_blk *blk = arg;
	eventfd_t count;

	pthread_mutex_lock(&blk->dev.lock);
	while (!blk->quit) {
		pthread_mutex_unlock(&blk->dev.lock);
		if (eventfd_read(blk->dev.kick_fd[0], &count) < 0)
			count = 0; /* a signal: looking once more is harmless */
		pthread_mutex_lock(&blk->dev.lock);
		if (!blk->quit && virtio_device_queue_ok(&blk->dev, 0))
			serve_queue(blk);
	}
	pthread_mutex_unlock(&blk->dev.lock);
	return NULL;
}

static void stop(struct virtio_device *dev, unsigned int q)
{
	struct virtio_blk *blk = to_blk(dev);

	blk->nr_stops++;
	while (blk->busy)
		pthread_cond_wait(&blk->idle, &dev->lock);
}

static const struct virtio_device_ops blk_ops = {
	.stop = stop,
};

/* Opens and locks the image, so that no two VMs write to it. */
static int open_image(struct virtio_blk *blk, const char *path, char *why,
		      size_t len)
{
	struct stat st;
	uint64_t bytes;
	int rc;

	blk->fd = open(path, (blk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (blk->fd < 0 || fstat(blk->fd, &st) < 0) {
		rc = -errno;
		snprintf(why, len, "disk '%s': %s%s", path, strerror(-rc),
			 !blk->read_only && (rc == -EACCES || rc == -EROFS) ?
			 "; append ',ro' to use it read-only" : "");
		return rc;
	}
	bytes = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(blk->fd, BLKGETSIZE64, &bytes) < 0)
		bytes = 0;
	blk->nr_sectors = bytes / SECTOR;
	if ((!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) ||
	    !blk->nr_sectors) {
		snprintf(why, len, "disk '%s' is no disk image: it must be a "
			 "file or block device of at least %d bytes", path,
			 SECTOR);
		return -EINVAL;
	}
	/* File systems without locks are used without. */
	if (flock(blk->fd, (blk->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK) {
		snprintf(why, len, "disk '%s' is in use by another VM; "
			 "give each its own image, or all ',ro'", path);
		return -EBUSY;
	}
	return 0;
}

static void describe(struct virtio_blk *blk, const char *path)
{
	const char *base = strrchr(path, '/');
	size_t n;

	base = base ? base + 1 : path;
	n = strlen(base);
	memcpy(blk->id, base, n < sizeof(blk->id) ? n : sizeof(blk->id));
	blk->config.capacity = htole64(blk->nr_sectors);
	blk->config.seg_max = htole32(SEG_MAX);
	blk->config.blk_size = htole32(SECTOR);
	blk->config.max_discard_sectors = htole32(MAX_DISCARD);
	blk->config.max_discard_seg = htole32(1);
	blk->config.discard_sector_alignment = htole32(1);
	blk->config.max_write_zeroes_sectors = htole32(MAX_DISCARD);
	blk->config.max_write_zeroes_seg = htole32(1);
	blk->config.write_zeroes_may_unmap = 1;
	blk->dev.ops = &blk_ops;
	blk->dev.name = "virtio-blk";
	blk->dev.id = VIRTIO_ID_BLOCK;
	blk->dev.nr_queues = 1;
	blk->dev.own_thread = true;
	blk->dev.features = UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX |
			    UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE |
			    UINT64_C(1) << VIRTIO_BLK_F_FLUSH;
	if (blk->read_only)
		blk->dev.features |= UINT64_C(1) << VIRTIO_BLK_F_RO;
	else
		blk->dev.features |= UINT64_C(1) << VIRTIO_BLK_F_DISCARD |
				     UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES;
	blk->dev.config = &blk->config;
	blk->dev.config_bytes = sizeof(blk->config);
}

int virtio_blk_new(struct virtio_blk **blkp, struct vm *vm, const char *path,
		   bool read_only, char *why, size_t len)
{
	struct virtio_blk *blk = virtio_device_alloc(sizeof(*blk), why, len);
	sigset_t all, old;
	int rc;

	if (!blk)
		return -ENOMEM;
	blk->read_only = read_only;
	pthread_cond_init(&blk->idle, NULL);
	rc = open_image(blk, path, why, len);
	if (rc < 0)
		goto fail_image;
	describe(blk, path);
	rc = virtio_device_add(&blk->dev, vm, why, len);
	if (rc < 0)
		goto fail_image;
	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&blk->thread, NULL, blk_thread, blk);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc < 0) {
		snprintf(why, len, "disk '%s': no thread: %s", path,
			 strerror(-rc));
		goto fail_device;
	}
	*blkp = blk;
	return 0;

fail_device:
	virtio_device_remove(&blk->dev);
fail_image:
	if (blk->fd >= 0)
		close(blk->fd);
	pthread_cond_destroy(&blk->idle);
	free(blk);
	return rc;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	pthread_mutex_lock(&blk->dev.lock);
	blk->quit = true;
	pthread_mutex_unlock(&blk->dev.lock);
	virtio_device_kick(&blk->dev, 0);
	pthread_join(blk->thread, NULL);
	virtio_device_remove(&blk->dev);
	close(blk->fd);
	pthread_cond_destroy(&blk->idle);
	free(blk);
}
