// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hostile rings: the input is what a guest may write to its memory.  For any
 * input, every chain taken lies inside guest RAM and within its bounds, and the
 * loop that takes chains ends.
 *
 * With libFuzzer (VMM_LIBFUZZER) the input comes from it.  Otherwise this is a
 * standalone test: valid rings with a few corrupted fields, from a fixed seed,
 * so that most inputs pass the first check.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/virtio-ring.h"
#include "vmm/dev/virtqueue.h"
#include "vmm/util/log.h"

#define MEM_BYTES (UINT64_C(2) << 20)
#define NUM	  16
#define TABLE	  0x8000	/* where good rings have indirect tables */
#define NR_TABLE  32
#define TURNS	  64

static struct guest_mem *mem;
static unsigned long nr_taken, nr_broken;

#define check(cond) do {                                                    \
	if (!(cond)) {                                                      \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);  \
		abort();                                                    \
	}                                                                   \
} while (0)

static void check_chain(const struct virtqueue_chain *chain)
{
	size_t out = 0, in = 0;

	check(chain->nr_out + chain->nr_in <= VIRTQUEUE_MAX_SEGS);
	for (unsigned int i = 0; i < chain->nr_out + chain->nr_in; i++) {
		const struct iovec *iov = &chain->iov[i];
		gfn_t first, last;
		uint64_t hva = (uintptr_t)iov->iov_base;

		check(iov->iov_len > 0);
		check(guest_mem_hva_to_gfn(mem, hva, &first));
		check(guest_mem_hva_to_gfn(mem, hva + iov->iov_len - 1, &last));
		check(last.v >= first.v);
		*(i < chain->nr_out ? &out : &in) += iov->iov_len;
	}
	check(out == chain->out_bytes && in == chain->in_bytes);
}

/* Serves the ring at 0 as devices do. */
static void serve(bool event_idx)
{
	struct virtqueue vq = { .mem = mem, .name = "fuzz", .num = NUM,
		.desc_gpa = GPA(0), .avail_gpa = GPA(RING_AVAIL_OFF),
		.used_gpa = GPA(RING_USED_OFF), .event_idx = event_idx };
	struct virtqueue_chain chain;
	char buf[64];
	int rc = 0;

	check(!virtqueue_start(&vq));
	for (int i = 0; i < TURNS && (rc = virtqueue_pop(&vq, &chain)) > 0;
	     i++) {
		nr_taken++;
		check_chain(&chain);
		/* Data and rings may overlap: writing here is part of it. */
		virtqueue_copy_out(&chain, 3, buf, sizeof(buf));
		virtqueue_copy_in(&chain, 3, buf, sizeof(buf));
		virtqueue_push(&vq, &chain, chain.in_bytes);
		virtqueue_wants_interrupt(&vq);
		virtqueue_allow_notify(&vq);
	}
	check((rc < 0) == vq.broken);
	nr_broken += vq.broken;
}

/* What the guest wrote, close together for the fuzzer's sake. */
struct input {
	uint8_t event_idx;
	struct { uint16_t flags, idx, ring[NUM + 1]; } avail;
	struct vring_desc desc[NUM], table[NR_TABLE];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { 0 };

	if (!mem) {
		log_set_level(LOG_LEVEL_ERROR);
		check(!guest_mem_new(&mem, MEM_BYTES, GUEST_MEM_ANON));
	}
	memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
	check(!guest_mem_write(mem, GPA(0), in.desc, sizeof(in.desc)));
	check(!guest_mem_write(mem, GPA(RING_AVAIL_OFF), &in.avail,
			       sizeof(in.avail)));
	check(!guest_mem_write(mem, GPA(TABLE), in.table, sizeof(in.table)));
	serve(in.event_idx & 1);
	return 0;
}

#ifndef VMM_LIBFUZZER

#include "tests/tap.h"

#define ROUNDS 200000

static uint64_t rng_state = 0x5eed;

static uint64_t rnd(uint64_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state % n;
}

static struct vring_desc good_desc(uint16_t nr, uint16_t i, bool in)
{
	return (struct vring_desc){
		.addr = 0x10000 + rnd(0x100000),
		.len = rnd(4096),
		.flags = (rnd(4) && i + 1 < nr ? VRING_DESC_F_NEXT : 0) |
			 (in ? VRING_DESC_F_WRITE : 0),
		.next = i + 1,
	};
}

/* Good chains through the ring and through an indirect table. */
static void good_ring(struct input *in)
{
	for (uint16_t i = 0; i < NUM; i++)
		in->desc[i] = good_desc(NUM, i, i >= NUM / 2);
	for (uint16_t i = 0; i < NR_TABLE; i++)
		in->table[i] = good_desc(NR_TABLE, i, i >= NR_TABLE / 2);
	in->desc[rnd(NUM)] = (struct vring_desc){ TABLE, NR_TABLE * 16,
						  VRING_DESC_F_INDIRECT, 0 };
	in->event_idx = rnd(2);
	in->avail.idx = rnd(NUM + 1);
	for (int i = 0; i < NUM; i++)
		in->avail.ring[i] = rnd(NUM);
}

/* Some bytes of the ring, its table or its index become something nasty. */
static void spoil(struct input *in)
{
	static const uint64_t nasty[] = { 0, 1, 0xffff, 0xffffffff,
		0xfffffffff000, UINT64_MAX, MEM_BYTES, MEM_BYTES - 1, TABLE };
	char *const part[] = { (char *)&in->avail, (char *)in->desc,
			       (char *)in->table };
	static const size_t part_bytes[] = { sizeof(in->avail),
		sizeof(in->desc), sizeof(in->table) };
	unsigned int p = rnd(3);
	size_t off = rnd(part_bytes[p] / 2 - 4) * 2;
	uint64_t v = rnd(2) ? nasty[rnd(sizeof(nasty) / 8)] : rnd(UINT64_MAX);

	memcpy(part[p] + off, &v, 2u << rnd(3));
}

int main(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct input in = { 0 };

		good_ring(&in);
		for (int n = rnd(4); n > 0; n--)
			spoil(&in);
		LLVMFuzzerTestOneInput((const uint8_t *)&in, sizeof(in));
	}
	printf("# %d rings: %lu chains taken, %lu rings broken\n", ROUNDS,
	       nr_taken, nr_broken);
	ok(nr_taken > ROUNDS && nr_broken > ROUNDS / 10,
	   "hostile rings break, good chains pass, nothing else happens");
	return tap_done();
}
#endif
