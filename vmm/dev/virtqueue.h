/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device side of a split virtqueue (virtio 1.2, section 2.7), with
 * indirect descriptors and event indexes.
 *
 * Rings and descriptors live in guest memory and may change at any moment:
 * each is copied once and only the copy is checked and used.  A chain's length
 * is bounded, and every address goes through guest_mem_ptr().  An invalid ring
 * is marked broken and stays so until the transport resets it; no function
 * crashes, spins or reads outside guest RAM for it.
 *
 * Locking: by the owner; one thread in a queue at a time.
 */
#ifndef VMM_DEV_VIRTQUEUE_H
#define VMM_DEV_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/util/log.h"

/* Entries of the largest ring offered, and descriptors of the longest chain. */
#define VIRTQUEUE_MAX_NUM  256
#define VIRTQUEUE_MAX_SEGS 256

struct vring_desc;
struct vring_avail;
struct vring_used;

struct virtqueue {
	struct guest_mem *mem;	/* borrowed */
	const char *name;	/* of the device, for messages; borrowed */

	/* Written by the transport while the queue is not ready. */
	uint16_t num;
	gpa_t desc_gpa, avail_gpa, used_gpa;
	bool event_idx;

	bool ready;
	bool broken;
	/* Into guest memory; valid while ready. */
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;

	uint16_t last_avail;	/* index of the next entry to take */
	uint16_t used_idx;	/* index of the next entry to return */
	uint16_t signalled_used;/* used_idx at the last interrupt decision */
	struct log_limit limit;
};

/* One request of the driver; valid until it is pushed. */
struct virtqueue_chain {
	uint16_t head;
	unsigned int nr_out;	/* iov[0 .. nr_out): the device reads */
	unsigned int nr_in;	/* iov[nr_out .. nr_out + nr_in): it writes */
	size_t out_bytes, in_bytes;
	struct iovec iov[VIRTQUEUE_MAX_SEGS];
};

/*
 * Checks size, alignment and addresses and makes the queue ready.  -EINVAL or
 * -EFAULT: it stays not ready.
 */
int virtqueue_start(struct virtqueue *vq);
/* Makes the queue not ready; the addresses are kept. */
void virtqueue_stop(struct virtqueue *vq);
/* Resets it to the state before the transport's first write. */
void virtqueue_reset(struct virtqueue *vq);

/*
 * Takes the next request: 1 with *chain filled, 0 when there is none, -EIO
 * when the ring is broken or not ready.
 */
int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain);
/* Puts back the chain of the last virtqueue_pop(), which was not pushed. */
void virtqueue_unpop(struct virtqueue *vq);
/* Returns a request to the driver, with the number of bytes written to it. */
void virtqueue_push(struct virtqueue *vq, const struct virtqueue_chain *chain,
		    uint32_t written);
/*
 * Whether the driver wants an interrupt for requests pushed since the last
 * call.
 */
bool virtqueue_wants_interrupt(struct virtqueue *vq);

/*
 * Tell the driver not to kick, as we check the ring anyway, and to kick again.
 * virtqueue_allow_notify() returns true if requests arrived before it took
 * effect: then the caller must check again, as no kick follows.
 */
void virtqueue_forbid_notify(struct virtqueue *vq);
bool virtqueue_allow_notify(struct virtqueue *vq);

/* Marks the ring broken, with a rate-limited message; returns -EIO. */
int virtqueue_break(struct virtqueue *vq, const char *why);

/*
 * Copies between a buffer and the readable (out) or writable (in) part of a
 * chain, from byte `off` of that part.  Returns the bytes copied: fewer than
 * len when the chain is shorter.
 */
size_t virtqueue_copy_out(const struct virtqueue_chain *chain, size_t off,
			  void *buf, size_t len);
size_t virtqueue_copy_in(const struct virtqueue_chain *chain, size_t off,
			 const void *buf, size_t len);

/*
 * Pins the writable part of a chain (guest_mem_pin()) while the kernel reads a
 * file into it, so that it is not evicted: a file system may write to the pages
 * by their physical address, which no page table shows.  The cost is
 * proportional to chain->in_bytes, which the caller has bounded.
 */
void virtqueue_pin_in(struct virtqueue *vq,
		      const struct virtqueue_chain *chain);
void virtqueue_unpin_in(struct virtqueue *vq,
			const struct virtqueue_chain *chain);

/*
 * Fills slice[] with the part of iov[0 .. nr) that is in bytes
 * [off, off + len), for readv() and the like.  slice has room for nr entries.
 * Returns the number of entries used; *bytes, unless bytes is NULL, is their
 * total length.
 */
unsigned int iov_slice(const struct iovec *iov, unsigned int nr, size_t off,
		       size_t len, struct iovec *slice, size_t *bytes);

#endif
