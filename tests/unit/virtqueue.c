// SPDX-License-Identifier: GPL-2.0-or-later
/* Rings made by a correct and by a hostile driver. */
#include "config.h"

#include <errno.h>

#include "tests/tap.h"
#include "tests/unit/virtio-ring.h"
#include "vmm/dev/virtqueue.h"

#define MEM_BYTES (UINT64_C(4) << 20)
#define RING	  0x1000
#define TABLE	  0x8000
#define DATA	  0x100000
#define NUM	  8

#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static struct guest_mem *mem;
static struct ring ring;
static struct virtqueue vq;
static struct virtqueue_chain chain;

static void setup(bool event_idx)
{
	ring_init(&ring, mem, RING, NUM);
	vq = (struct virtqueue){ .mem = mem, .name = "test", .num = NUM,
		.desc_gpa = GPA(RING), .avail_gpa = GPA(RING + RING_AVAIL_OFF),
		.used_gpa = GPA(RING + RING_USED_OFF),
		.event_idx = event_idx };
	if (virtqueue_start(&vq) < 0)
		tap_bail("a good queue does not start");
}

static void test_start(void)
{
	static const struct {
		const char *what;
		uint16_t num;
		uint64_t desc, avail, used;
		int rc;
	} t[] = {
		{ "good", 8, 0x1000, 0x2000, 0x3000, 0 },
		{ "largest", 256, 0x1000, 0x2000, 0x3000, 0 },
		{ "of size 0", 0, 0x1000, 0x2000, 0x3000, -EINVAL },
		{ "of size 6", 6, 0x1000, 0x2000, 0x3000, -EINVAL },
		{ "of size 512", 512, 0x1000, 0x2000, 0x3000, -EINVAL },
		{ "desc odd", 8, 0x1008, 0x2000, 0x3000, -EINVAL },
		{ "avail odd", 8, 0x1000, 0x2001, 0x3000, -EINVAL },
		{ "used odd", 8, 0x1000, 0x2000, 0x3002, -EINVAL },
		{ "desc past RAM", 8, MEM_BYTES - 64, 0x2000, 0x3000, -EFAULT },
		{ "avail past RAM", 8, 0x1000, MEM_BYTES, 0x3000, -EFAULT },
		{ "used wraps", 8, 0x1000, 0x2000, UINT64_MAX - 3, -EFAULT },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct virtqueue q = { .mem = mem, .name = "test",
			.num = t[i].num, .desc_gpa = GPA(t[i].desc),
			.avail_gpa = GPA(t[i].avail),
			.used_gpa = GPA(t[i].used) };

		ok(virtqueue_start(&q) == t[i].rc && q.ready == !t[i].rc,
		   "start: a queue %s", t[i].what);
	}
}

static void test_good(void)
{
	struct vring_desc *table = guest_mem_ptr(mem, GPA(TABLE), 64);
	uint32_t id = 0, len = 0;
	char buf[32];

	setup(false);
	is_int(virtqueue_pop(&vq, &chain), 0, "an empty ring has nothing");

	memcpy(guest_mem_ptr(mem, GPA(DATA), 6), "abcdef", 6);
	ring_desc(&ring, 3, DATA, 4, NEXT, 5);
	ring_desc(&ring, 5, DATA + 4, 2, NEXT, 0);
	ring_desc(&ring, 0, DATA + 4096, 16, WRITE, 0);
	ring_offer(&ring, 3);
	ok(virtqueue_pop(&vq, &chain) == 1 && chain.nr_out == 2 &&
	   chain.nr_in == 1 && chain.out_bytes == 6 && chain.in_bytes == 16,
	   "a chain of three");
	ok(virtqueue_copy_out(&chain, 1, buf, 32) == 5 &&
	   !memcmp(buf, "bcdef", 5), "copy_out across buffers, clipped");
	ok(virtqueue_copy_in(&chain, 14, "xyz", 3) == 2 &&
	   !memcmp(guest_mem_ptr(mem, GPA(DATA + 4096 + 14), 2), "xy", 2),
	   "copy_in is clipped");
	virtqueue_unpop(&vq);
	is_int(virtqueue_pop(&vq, &chain), 1, "unpop gives it again");
	virtqueue_push(&vq, &chain, 16);
	ok(ring_take_used(&ring, &id, &len) && id == 3 && len == 16,
	   "push gives it back");

	table[0] = (struct vring_desc){ DATA, 10, NEXT, 1 };
	table[1] = (struct vring_desc){ DATA + 64, 20, NEXT | WRITE, 2 };
	table[2] = (struct vring_desc){ DATA + 128, 30, WRITE, 0 };
	ring_desc(&ring, 1, TABLE, 3 * 16, INDIRECT, 0);
	ring_offer(&ring, 1);
	ok(virtqueue_pop(&vq, &chain) == 1 && chain.nr_out == 1 &&
	   chain.nr_in == 2 && chain.in_bytes == 50, "an indirect table");

	/* Right around the 16-bit indexes. */
	setup(false);
	ring_desc(&ring, 0, DATA, 1, 0, 0);
	for (unsigned int i = 0; i < 70000; i++) {
		ring_offer(&ring, 0);
		if (virtqueue_pop(&vq, &chain) != 1)
			break;
		virtqueue_push(&vq, &chain, i);
		if (!ring_take_used(&ring, &id, &len) || len != i)
			break;
	}
	ok(len == 69999, "70,000 requests: the indexes wrap");
}

/* As many buffers as a chain holds, and one more. */
static void test_longest(void)
{
	struct vring_desc *table;

	for (unsigned int nr = 256; nr <= 257; nr++) {
		setup(false);
		table = guest_mem_ptr(mem, GPA(TABLE), 257 * 16);
		for (unsigned int i = 0; i < nr; i++)
			table[i] = (struct vring_desc){ DATA + 16 * i, 16,
				i + 1 < nr ? NEXT : 0, i + 1 };
		ring_desc(&ring, 0, TABLE, nr * 16, INDIRECT, 0);
		ring_offer(&ring, 0);
		if (nr == 256)
			ok(virtqueue_pop(&vq, &chain) == 1 &&
			   chain.nr_out == 256, "a table of as many buffers as a chain holds");
		else
			is_int(virtqueue_pop(&vq, &chain), -EIO,
			       "of one more");
	}
}

/* Each breaks the ring permanently, and nothing else. */
static void test_hostile(void)
{
	static const struct {
		const char *what;
		struct vring_desc d;
	} t[] = {
		{ "a buffer past RAM", { MEM_BYTES - 1, 2, 0, 0 } },
		{ "a buffer that wraps", { UINT64_MAX, 2, 0, 0 } },
		{ "a buffer of 4 GiB", { 0, UINT32_MAX, WRITE, 0 } },
		{ "a next out of the table", { DATA, 1, NEXT, NUM } },
		{ "a next far out", { DATA, 1, NEXT, 0xffff } },
		{ "a loop", { DATA, 1, NEXT, 0 } },
		{ "a loop of empty buffers", { DATA, 0, NEXT, 0 } },
		{ "an empty table", { TABLE, 0, INDIRECT, 0 } },
		{ "a table of odd size", { TABLE, 24, INDIRECT, 0 } },
		{ "a table at an odd place", { TABLE + 8, 16, INDIRECT, 0 } },
		{ "a table past RAM", { MEM_BYTES, 16, INDIRECT, 0 } },
		{ "a table of 4 GiB", { TABLE, 0xfffffff0, INDIRECT, 0 } },
		{ "a table and a next", { TABLE, 32, INDIRECT | NEXT, 1 } },
	};
	struct vring_desc *table = guest_mem_ptr(mem, GPA(TABLE), 8192);

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setup(false);
		ring.desc[0] = t[i].d;
		ring_offer(&ring, 0);
		ok(virtqueue_pop(&vq, &chain) == -EIO && vq.broken &&
		   virtqueue_pop(&vq, &chain) == -EIO &&
		   !virtqueue_allow_notify(&vq), "broken by %s", t[i].what);
	}

	setup(false);
	table[0] = (struct vring_desc){ TABLE, 16, INDIRECT, 0 };
	ring_desc(&ring, 0, TABLE, 16, INDIRECT, 0);
	ring_offer(&ring, 0);
	is_int(virtqueue_pop(&vq, &chain), -EIO, "broken by nested tables");

	setup(false);
	ring_desc(&ring, 0, vq.desc_gpa.v, NUM * 16, INDIRECT, 0);
	ring_offer(&ring, 0);
	is_int(virtqueue_pop(&vq, &chain), -EIO,
	       "broken by the ring itself as a table");

	setup(false);
	ring_desc(&ring, 0, DATA, 1, WRITE | NEXT, 1);
	ring_desc(&ring, 1, DATA, 1, 0, 0);
	ring_offer(&ring, 0);
	is_int(virtqueue_pop(&vq, &chain), -EIO,
	       "broken by a readable buffer after a writable one");

	setup(false);
	for (int i = 0; i < 400; i++)
		table[i] = (struct vring_desc){ DATA, 1, NEXT, i + 1 };
	ring_desc(&ring, 0, TABLE, 400 * 16, INDIRECT, 0);
	ring_offer(&ring, 0);
	is_int(virtqueue_pop(&vq, &chain), -EIO, "broken by a chain of 400");

	setup(false);
	ring_offer(&ring, NUM);
	is_int(virtqueue_pop(&vq, &chain), -EIO, "broken by a head past the end");

	setup(false);
	ring.avail->idx = NUM + 1;
	is_int(virtqueue_pop(&vq, &chain), -EIO, "broken by idx far ahead");
	setup(false);
	ring.avail->idx = 0xffff;
	is_int(virtqueue_pop(&vq, &chain), -EIO, "broken by idx behind");

	virtqueue_reset(&vq);
	ok(!vq.ready && !vq.broken && vq.mem == mem, "reset mends it");
}

static void offer_and_push(void)
{
	ring_offer(&ring, 0);
	if (virtqueue_pop(&vq, &chain) != 1)
		tap_bail("a good request is not taken");
	virtqueue_push(&vq, &chain, 0);
}

static void test_notify(void)
{
	uint16_t *used_event, *avail_event;

	setup(false);
	ring_desc(&ring, 0, DATA, 1, 0, 0);
	ok(!virtqueue_wants_interrupt(&vq), "nothing pushed, no interrupt");
	offer_and_push();
	ok(virtqueue_wants_interrupt(&vq), "an interrupt for a push");
	ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer_and_push();
	ok(!virtqueue_wants_interrupt(&vq), "none when the driver asks so");
	virtqueue_forbid_notify(&vq);
	ok(ring.used->flags == VRING_USED_F_NO_NOTIFY, "notify forbidden");
	ok(!virtqueue_allow_notify(&vq) && !ring.used->flags, "and allowed");
	ring_offer(&ring, 0);
	ok(virtqueue_allow_notify(&vq), "a request slipped in: look again");

	setup(true);
	used_event = &ring.avail->ring[NUM];
	avail_event = (uint16_t *)&ring.used->ring[NUM];
	ring_desc(&ring, 0, DATA, 1, 0, 0);
	*used_event = 1;
	offer_and_push();
	ok(!virtqueue_wants_interrupt(&vq), "event idx: not for the first");
	offer_and_push();
	ok(virtqueue_wants_interrupt(&vq), "event idx: for the second");
	ok(!virtqueue_allow_notify(&vq) && *avail_event == 2,
	   "event idx: tells where to notify");
}

int main(void)
{
	log_set_level(LOG_LEVEL_ERROR); /* broken rings are the point here */
	if (guest_mem_new(&mem, MEM_BYTES, GUEST_MEM_ANON) < 0)
		tap_bail("no guest memory");
	test_start();
	test_good();
	test_longest();
	test_hostile();
	test_notify();
	guest_mem_free(mem);
	return tap_done();
}
