/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's side of a split ring, for tests: laid out in a guest_mem. */
#ifndef TESTS_UNIT_VIRTIO_RING_H
#define TESTS_UNIT_VIRTIO_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vmm/mem/guest-mem.h"

struct ring {
	uint16_t num;
	gpa_t base;		/* where the three parts start */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t used_seen;
};

#define RING_AVAIL_OFF 0x2000
#define RING_USED_OFF  0x3000
#define RING_BYTES     0x4000

__attribute__((unused)) static void
ring_init(struct ring *r, struct guest_mem *mem, uint64_t base, uint16_t num)
{
	char *p = guest_mem_ptr(mem, GPA(base), RING_BYTES);

	memset(p, 0, RING_BYTES);
	r->num = num;
	r->base = GPA(base);
	r->desc = (void *)p;
	r->avail = (void *)(p + RING_AVAIL_OFF);
	r->used = (void *)(p + RING_USED_OFF);
	r->used_seen = 0;
}

__attribute__((unused)) static void
ring_desc(struct ring *r, uint16_t i, uint64_t addr, uint32_t len,
	  uint16_t flags, uint16_t next)
{
	r->desc[i] = (struct vring_desc){ addr, len, flags, next };
}

__attribute__((unused)) static void ring_offer(struct ring *r, uint16_t head)
{
	r->avail->ring[r->avail->idx % r->num] = head;
	/* Pairs with the acquire in virtqueue_pop(). */
	__atomic_store_n(&r->avail->idx, r->avail->idx + 1, __ATOMIC_RELEASE);
}

/* The next request given back, if any. */
__attribute__((unused)) static bool
ring_take_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	struct vring_used_elem *e;

	if (r->used_seen == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
		return false;
	e = &r->used->ring[r->used_seen++ % r->num];
	*id = e->id;
	*len = e->len;
	return true;
}

#endif
