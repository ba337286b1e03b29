// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk on a file or block device (virtio 1.2, section 5.2).
 *
 * One thread per device takes requests in order and executes them with preadv()
 * and pwritev() directly on guest memory, without the lock, so that a slow disk
 * delays neither registers nor other devices.  A reset waits for the request in
 * progress (`busy`), since afterwards its buffers belong to the guest again;
 * the request is cancelled (`cancel`) after its current piece.  Memory that is
 * read into is pinned meanwhile (guest_mem_pin()): a file system may write to
 * the pages by their physical address.
 *
 * The buffers of one request may add up to much more than guest memory, naming
 * the same frames repeatedly: requests over MAX_TRANSFER are refused.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "vmm/dev/blk-image.h"
#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"
#include "vmm/kvm/vm.h"
#include "vmm/util/error-text.h"
#include "vmm/util/thread.h"

/* Header and status take two descriptors, an indirect table one more. */
#define SEG_MAX		128
#define SIZE_MAX_SEG	(UINT32_C(512) << 10)
/* The largest request of a driver that respects both limits: 64 MiB. */
#define MAX_TRANSFER	((size_t)SEG_MAX * SIZE_MAX_SEG)
#define MAX_DISCARD	(UINT32_C(1) << 21) /* sectors: 1 GiB per request */

struct virtio_blk {
	struct virtio_device dev; /* must come first */
	struct virtio_blk_config config;
	struct blk_image image;
	struct log_limit limit;	/* of the device's thread */
	char id[VIRTIO_BLK_ID_BYTES];
	pthread_t thread;
	/* Locked by dev.lock: */
	bool quit;		/* the thread is to end */
	bool busy;		/* it executes a request */
	bool cancel;		/* that request is cancelled; read atomically */
	pthread_cond_t idle;	/* busy became false */
};

static struct virtio_blk *to_blk(struct virtio_device *dev)
{
	return (struct virtio_blk *)dev;
}

/* Called between two pieces of a request. */
static bool is_cancelled(void *arg)
{
	const struct virtio_blk *blk = arg;

	return __atomic_load_n(&blk->cancel, __ATOMIC_ACQUIRE) ||
	       vm_stopping(blk->dev.vm);
}

static int check_range(struct virtio_blk *blk, uint64_t sector, size_t bytes)
{
	if (!blk_image_has(&blk->image, sector, bytes))
		return -EINVAL;
	if (bytes <= MAX_TRANSFER)
		return 0;
	log_limited(&blk->limit, LOG_LEVEL_WARN,
		    "virtio-blk: refused a request of %zu bytes: at most %zu "
		    "are allowed", bytes, MAX_TRANSFER);
	return -E2BIG;
}

static int read_sectors(struct virtio_blk *blk, uint64_t sector,
			const struct virtqueue_chain *chain)
{
	size_t bytes = chain->in_bytes - 1; /* the last is the status */
	struct virtqueue *vq = &blk->dev.queues[0];
	int rc = check_range(blk, sector, bytes);

	if (rc)
		return rc;
	virtqueue_pin_in(vq, chain);
	rc = blk_image_transfer(&blk->image, false, sector,
				chain->iov + chain->nr_out, chain->nr_in, 0,
				bytes);
	virtqueue_unpin_in(vq, chain);
	return rc;
}

static int write_sectors(struct virtio_blk *blk, uint64_t sector,
			 const struct virtqueue_chain *chain,
			 bool write_through)
{
	const size_t hdr = sizeof(struct virtio_blk_outhdr);
	size_t bytes = chain->out_bytes - hdr;
	int rc;

	if (blk->image.read_only)
		return -EROFS;
	rc = check_range(blk, sector, bytes);
	if (!rc)
		rc = blk_image_transfer(&blk->image, true, sector, chain->iov,
					chain->nr_out, hdr, bytes);
	return !rc && write_through ? blk_image_flush(&blk->image) : rc;
}

/* Discard or write-zeroes: one range a request, as the config space says. */
static int discard(struct virtio_blk *blk, bool zeroes,
		   const struct virtqueue_chain *chain)
{
	struct virtio_blk_discard_write_zeroes range;
	const size_t hdr = sizeof(struct virtio_blk_outhdr);
	uint64_t sector, bytes;
	uint32_t flags;

	if (blk->image.read_only)
		return -EROFS;
	if (chain->out_bytes != hdr + sizeof(range) ||
	    virtqueue_copy_out(chain, hdr, &range, sizeof(range)) <
	    sizeof(range))
		return -EINVAL;
	sector = le64toh(range.sector);
	bytes = (uint64_t)le32toh(range.num_sectors) * BLK_SECTOR;
	flags = le32toh(range.flags);
	if (flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0))
		return -EOPNOTSUPP;
	if (bytes / BLK_SECTOR > MAX_DISCARD ||
	    !blk_image_has(&blk->image, sector, bytes))
		return -EINVAL;
	return blk_image_zero(&blk->image, zeroes && !flags, sector, bytes);
}

static int get_id(struct virtio_blk *blk, const struct virtqueue_chain *chain)
{
	size_t room = chain->in_bytes - 1;

	virtqueue_copy_in(chain, 0, blk->id,
			  room < sizeof(blk->id) ? room : sizeof(blk->id));
	return 0;
}

static int execute(struct virtio_blk *blk, const struct virtqueue_chain *chain,
		   bool write_through)
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
		return write_sectors(blk, sector, chain, write_through);
	case VIRTIO_BLK_T_FLUSH:
		return blk_image_flush(&blk->image);
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

/*
 * Executes the request and writes its status; returns the bytes written to the
 * guest.
 */
static uint32_t process(struct virtio_blk *blk,
			const struct virtqueue_chain *chain, bool write_through)
{
	int rc = execute(blk, chain, write_through);
	uint8_t status = !rc ? VIRTIO_BLK_S_OK :
			 rc == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP :
					     VIRTIO_BLK_S_IOERR;

	virtqueue_copy_in(chain, chain->in_bytes - 1, &status, 1);
	return rc || chain->in_bytes > UINT32_MAX ? 1 : chain->in_bytes;
}

/*
 * Serves one request, with the lock released meanwhile.  Returns as
 * virtqueue_pop().
 */
static int serve_one(struct virtio_blk *blk, struct virtqueue *vq)
{
	bool write_through = !virtio_device_has(&blk->dev, VIRTIO_BLK_F_FLUSH);
	struct virtqueue_chain chain;
	uint32_t written;
	int rc = virtqueue_pop(vq, &chain);

	if (rc <= 0)
		return rc;
	if (!chain.in_bytes)
		return virtqueue_break(vq, "a disk request without a status");
	blk->busy = true;
	__atomic_store_n(&blk->cancel, false, __ATOMIC_RELAXED);
	virtio_device_unlock(&blk->dev);
	written = process(blk, &chain, write_through);
	virtio_device_lock(&blk->dev);
	blk->busy = false;
	pthread_cond_broadcast(&blk->idle);
	/*
	 * A cancelled request is not completed: a guest that is ending must see
	 * no error.
	 */
	if (is_cancelled(blk))
		return 0;
	virtqueue_push(vq, &chain, written);
	return 1;
}

static bool may_serve(const struct virtio_blk *blk)
{
	return !blk->quit && !vm_stopping(blk->dev.vm) &&
	       virtio_device_queue_ok(&blk->dev, 0);
}

static void serve_queue(struct virtio_blk *blk)
{
	struct virtqueue *vq = &blk->dev.queues[0];
	int rc;

	do {
		virtqueue_forbid_notify(vq);
		do {
			rc = may_serve(blk) ? serve_one(blk, vq) : 0;
			virtio_device_signal_used(&blk->dev, 0);
		} while (rc > 0);
		if (rc < 0)
			virtio_device_needs_reset(&blk->dev);
	} while (may_serve(blk) && virtqueue_allow_notify(vq));
}

static void *blk_thread(void *arg)
{
	struct virtio_blk *blk = arg;
	eventfd_t count;

	virtio_device_lock(&blk->dev);
	while (!blk->quit) {
		virtio_device_unlock(&blk->dev);
		if (eventfd_read(blk->dev.kick_fd[0], &count) < 0)
			count = 0; /* interrupted: checking again is harmless */
		virtio_device_lock(&blk->dev);
		if (may_serve(blk))
			serve_queue(blk);
	}
	virtio_device_unlock(&blk->dev);
	return NULL;
}

static void stop(struct virtio_device *dev, unsigned int q)
{
	struct virtio_blk *blk = to_blk(dev);

	__atomic_store_n(&blk->cancel, true, __ATOMIC_RELEASE);
	while (blk->busy)
		pthread_cond_wait(&blk->idle, &dev->lock);
}

static const struct virtio_device_ops blk_ops = {
	.stop = stop,
};

static void init_device(struct virtio_blk *blk, const char *path)
{
	const char *base = strrchr(path, '/');
	size_t n;

	base = base ? base + 1 : path;
	n = strlen(base);
	memcpy(blk->id, base, n < sizeof(blk->id) ? n : sizeof(blk->id));
	blk->config.capacity = htole64(blk->image.nr_sectors);
	blk->config.size_max = htole32(SIZE_MAX_SEG);
	blk->config.seg_max = htole32(SEG_MAX);
	blk->config.blk_size = htole32(BLK_SECTOR);
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
	blk->dev.features = UINT64_C(1) << VIRTIO_BLK_F_SIZE_MAX |
			    UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX |
			    UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE |
			    UINT64_C(1) << VIRTIO_BLK_F_FLUSH;
	if (blk->image.read_only)
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
	int rc;

	if (!blk)
		return -ENOMEM;
	pthread_cond_init(&blk->idle, NULL);
	rc = blk_image_open(&blk->image, path, read_only, why, len);
	if (rc < 0)
		goto fail_alloc;
	blk->image.stopped = is_cancelled;
	blk->image.arg = blk;
	init_device(blk, path);
	rc = virtio_device_add(&blk->dev, vm, why, len);
	if (rc < 0)
		goto fail_image;
	rc = thread_start(&blk->thread, blk_thread, blk);
	if (rc < 0) {
		snprintf(why, len, "disk '%s': cannot create its thread: %s",
			 path, error_text(-rc));
		goto fail_device;
	}
	*blkp = blk;
	return 0;

fail_device:
	virtio_device_remove(&blk->dev);
fail_image:
	blk_image_close(&blk->image);
fail_alloc:
	pthread_cond_destroy(&blk->idle);
	free(blk);
	return rc;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	virtio_device_lock(&blk->dev);
	blk->quit = true;
	__atomic_store_n(&blk->cancel, true, __ATOMIC_RELEASE);
	virtio_device_unlock(&blk->dev);
	virtio_device_schedule(&blk->dev, 0);
	pthread_join(blk->thread, NULL);
	virtio_device_remove(&blk->dev);
	blk_image_close(&blk->image);
	pthread_cond_destroy(&blk->idle);
	free(blk);
}
