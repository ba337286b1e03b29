// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Split virtqueues, device side.
 *
 *   driver: fill desc[], avail->ring[i] = head, wmb, avail->idx++
 *   device: acquire avail->idx, copy head, copy desc[], ... execute ...
 *           used->ring[j] = {head, written}, release used->idx++
 *
 * The indexes are free-running 16-bit counters; num is a power of two.
 */
#include "config.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "vmm/dev/virtqueue.h"

/* Exactly one access each: a second fetch could return another value. */
#define READ_ONCE(x)	 __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

/*
 * An instruction, not __atomic_thread_fence(): ThreadSanitizer does not support
 * fences, and does not see the other side, the guest, anyway.
 */
static inline void full_barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

int virtqueue_break(struct virtqueue *vq, const char *why)
{
	vq->broken = true;
	log_limited(&vq->limit, LOG_LEVEL_WARN,
		    "%s: the guest's driver corrupted its virtqueue (%s); the "
		    "device stops until the driver resets it", vq->name, why);
	return -EIO;
}

/* The event index fields follow the last entry of each ring. */
static uint16_t *used_event(struct virtqueue *vq)
{
	return &vq->avail->ring[vq->num];
}

static uint16_t *avail_event(struct virtqueue *vq)
{
	return (uint16_t *)&vq->used->ring[vq->num];
}

/*
 * change: guest_mem_pin() or guest_mem_unpin(), for the three parts of the
 * ring, which stay resident as device and driver use them all the time.
 */
static void pin_ring(const struct virtqueue *vq,
		     void (*change)(struct guest_mem *mem, gpa_t gpa,
				    uint64_t len))
{
	change(vq->mem, vq->desc_gpa, vq->num * sizeof(struct vring_desc));
	change(vq->mem, vq->avail_gpa, 6 + 2 * vq->num);
	change(vq->mem, vq->used_gpa,
	       6 + vq->num * sizeof(struct vring_used_elem));
}

int virtqueue_start(struct virtqueue *vq)
{
	size_t num = vq->num;
	void *desc, *avail, *used;

	if (!num || num > VIRTQUEUE_MAX_NUM || (num & (num - 1)))
		return -EINVAL;
	if (vq->desc_gpa.v % 16 || vq->avail_gpa.v % 2 || vq->used_gpa.v % 4)
		return -EINVAL;
	desc = guest_mem_ptr(vq->mem, vq->desc_gpa,
			     num * sizeof(struct vring_desc));
	avail = guest_mem_ptr(vq->mem, vq->avail_gpa, 6 + 2 * num);
	used = guest_mem_ptr(vq->mem, vq->used_gpa,
			     6 + num * sizeof(struct vring_used_elem));
	if (!desc || !avail || !used)
		return -EFAULT;
	pin_ring(vq, guest_mem_pin);
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	vq->last_avail = vq->used_idx = vq->signalled_used = 0;
	vq->broken = false;
	vq->ready = true;
	return 0;
}

void virtqueue_stop(struct virtqueue *vq)
{
	if (vq->ready)
		pin_ring(vq, guest_mem_unpin);
	vq->ready = false;
}

void virtqueue_reset(struct virtqueue *vq)
{
	virtqueue_stop(vq);
	*vq = (struct virtqueue){
		.mem = vq->mem,
		.name = vq->name,
		.limit = vq->limit,
	};
}

/* Adds one checked descriptor to the chain. */
static const char *chain_add(struct virtqueue *vq,
			     struct virtqueue_chain *chain,
			     const struct vring_desc *d)
{
	struct iovec *iov = &chain->iov[chain->nr_out + chain->nr_in];
	bool in = d->flags & VRING_DESC_F_WRITE;

	if (!d->len)
		return NULL;
	if (!in && chain->nr_in)
		return "a readable buffer after a writable one";
	iov->iov_base = guest_mem_ptr(vq->mem, GPA(d->addr), d->len);
	if (!iov->iov_base)
		return "a buffer outside guest memory";
	iov->iov_len = d->len;
	if (in) {
		chain->nr_in++;
		chain->in_bytes += d->len;
	} else {
		chain->nr_out++;
		chain->out_bytes += d->len;
	}
	return NULL;
}

/*
 * Follows the chain from `head`.  The limit on the number of descriptors,
 * including empty ones, terminates loops and keeps iov[] in bounds.  A
 * descriptor of an indirect table is not counted: there is at most one.
 */
static const char *chain_collect(struct virtqueue *vq, uint16_t head,
				 struct virtqueue_chain *chain)
{
	const struct vring_desc *table = vq->desc;
	size_t nr_table = vq->num, i = head;
	unsigned int nr_seen = 0;
	bool in_table = false;	/* indirect; may overlap the ring */
	const char *err;

	for (;;) {
		struct vring_desc d;

		if (i >= nr_table)
			return "a descriptor index outside of its table";
		d = *(const volatile struct vring_desc *)&table[i];
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (in_table)
				return "an indirect table in an indirect table";
			in_table = true;
			if (d.flags & VRING_DESC_F_NEXT)
				return "an indirect descriptor with a successor";
			if (!d.len || d.len % sizeof(d) || d.addr % 16)
				return "an indirect table of invalid size or "
				       "address";
			table = guest_mem_ptr(vq->mem, GPA(d.addr), d.len);
			if (!table)
				return "an indirect table outside guest memory";
			nr_table = d.len / sizeof(d);
			i = 0;
			continue;
		}
		if (nr_seen++ >= VIRTQUEUE_MAX_SEGS)
			return "a descriptor chain that loops or is too long";
		err = chain_add(vq, chain, &d);
		if (err)
			return err;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return NULL;
		i = d.next;
	}
}

int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain)
{
	uint16_t nr, head;
	const char *err;

	if (!vq->ready || vq->broken)
		return -EIO;
	/* Pairs with the driver's write barrier before it raises idx. */
	nr = __atomic_load_n(&vq->avail->idx, __ATOMIC_ACQUIRE) -
	     vq->last_avail;
	if (!nr)
		return 0;
	if (nr > vq->num)
		return virtqueue_break(vq, "more requests than the ring holds");
	head = READ_ONCE(vq->avail->ring[vq->last_avail % vq->num]);
	chain->head = head;
	chain->nr_out = chain->nr_in = 0;
	chain->out_bytes = chain->in_bytes = 0;
	err = chain_collect(vq, head, chain);
	if (err)
		return virtqueue_break(vq, err);
	vq->last_avail++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *vq)
{
	vq->last_avail--;
}

void virtqueue_push(struct virtqueue *vq, const struct virtqueue_chain *chain,
		    uint32_t written)
{
	struct vring_used_elem *e = &vq->used->ring[vq->used_idx % vq->num];

	WRITE_ONCE(e->id, chain->head);
	WRITE_ONCE(e->len, written);
	vq->used_idx++;
	/* Pairs with the driver's read barrier after it reads the new idx. */
	__atomic_store_n(&vq->used->idx, vq->used_idx, __ATOMIC_RELEASE);
}

bool virtqueue_wants_interrupt(struct virtqueue *vq)
{
	uint16_t old = vq->signalled_used, new = vq->used_idx;

	if (old == new)
		return false;
	vq->signalled_used = new;
	/*
	 * used->idx must be visible before we read whether the driver wants an
	 * interrupt.  Pairs with the driver's full barrier between enabling its
	 * callback and checking used->idx again.
	 */
	full_barrier();
	if (vq->event_idx)
		return vring_need_event(READ_ONCE(*used_event(vq)), new, old);
	return !(READ_ONCE(vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

void virtqueue_forbid_notify(struct virtqueue *vq)
{
	/*
	 * With event indexes a stale avail_event is enough to suppress kicks.
	 */
	if (vq->ready && !vq->event_idx)
		WRITE_ONCE(vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool virtqueue_allow_notify(struct virtqueue *vq)
{
	if (!vq->ready || vq->broken)
		return false;
	if (vq->event_idx)
		WRITE_ONCE(*avail_event(vq), vq->last_avail);
	else
		WRITE_ONCE(vq->used->flags, 0);
	/*
	 * Pairs with the driver's full barrier between raising avail->idx and
	 * reading flags or avail_event: at least one side sees the other's
	 * write.
	 */
	full_barrier();
	return READ_ONCE(vq->avail->idx) != vq->last_avail;
}

static void pin_or_unpin_in(struct virtqueue *vq,
			    const struct virtqueue_chain *chain,
			    void (*change)(struct guest_mem *mem, gpa_t gpa,
					   uint64_t len))
{
	for (unsigned int i = 0; i < chain->nr_in; i++) {
		const struct iovec *iov = &chain->iov[chain->nr_out + i];
		uintptr_t at = (uintptr_t)iov->iov_base;
		gfn_t gfn;

		if (guest_mem_hva_to_gfn(vq->mem, at, &gfn))
			change(vq->mem,
			       GPA(gfn_to_gpa(gfn).v + at % VMM_PAGE_SIZE),
			       iov->iov_len);
	}
}

void virtqueue_pin_in(struct virtqueue *vq,
		      const struct virtqueue_chain *chain)
{
	pin_or_unpin_in(vq, chain, guest_mem_pin);
}

void virtqueue_unpin_in(struct virtqueue *vq,
			const struct virtqueue_chain *chain)
{
	pin_or_unpin_in(vq, chain, guest_mem_unpin);
}

unsigned int iov_slice(const struct iovec *iov, unsigned int nr, size_t off,
		       size_t len, struct iovec *slice, size_t *bytes)
{
	unsigned int nr_used = 0;
	size_t total = 0;

	for (unsigned int i = 0; i < nr && total < len; i++) {
		size_t n = iov[i].iov_len;

		if (off >= n) {
			off -= n;
			continue;
		}
		n -= off;
		if (n > len - total)
			n = len - total;
		slice[nr_used].iov_base = (char *)iov[i].iov_base + off;
		slice[nr_used++].iov_len = n;
		total += n;
		off = 0;
	}
	if (bytes)
		*bytes = total;
	return nr_used;
}

size_t virtqueue_copy_out(const struct virtqueue_chain *chain, size_t off,
			  void *buf, size_t len)
{
	struct iovec slice[VIRTQUEUE_MAX_SEGS];
	unsigned int n = iov_slice(chain->iov, chain->nr_out, off, len, slice,
				   NULL);
	char *p = buf;

	for (unsigned int i = 0; i < n; i++) {
		memcpy(p, slice[i].iov_base, slice[i].iov_len);
		p += slice[i].iov_len;
	}
	return p - (char *)buf;
}

size_t virtqueue_copy_in(const struct virtqueue_chain *chain, size_t off,
			 const void *buf, size_t len)
{
	struct iovec slice[VIRTQUEUE_MAX_SEGS];
	unsigned int n = iov_slice(chain->iov + chain->nr_out, chain->nr_in,
				   off, len, slice, NULL);
	const char *p = buf;

	for (unsigned int i = 0; i < n; i++) {
		memcpy(slice[i].iov_base, p, slice[i].iov_len);
		p += slice[i].iov_len;
	}
	return p - (const char *)buf;
}
