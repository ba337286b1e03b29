// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk image on a file system whose reads pin the buffer (FUSE with
 * direct_io; others are 9p, virtiofs and CIFS without a cache): the data
 * arrives in the page that was mapped when the read began.  The store must not
 * evict that page meanwhile, or the guest refaults the old contents and never
 * gets what it read.
 */
#include "config.h"

#include <linux/virtio_blk.h>

#include "tests/unit/fuse-disk.h"
#include "tests/unit/sink-fixture.h"
#include "tests/unit/virtio-driver.h"
#include "vmm/dev/device.h"

#define AREA  4096u	/* frame that the disk reads into */
#define OTHER (AREA + 1)

static char why[256];

struct scene {
	struct vm *vm;
	struct virtio_blk *blk;
	struct driver d;
	struct world w;		/* its memory, and a store for that */
};

static void scene_open(struct scene *s, enum guest_mem_backing backing)
{
	const struct vm_config config = {
		.name = "test", .mem_bytes = 64 * MIB, .nr_cpus = 1,
		.backing = backing,
	};

	if (vm_new(&s->vm, &config, why, sizeof(why)))
		tap_bail("vm_new: %s", why);
	s->w.mem = vm_mem(s->vm);
	if (sink_store.open(&s->w.sink, s->w.mem, NULL, why, sizeof(why)))
		tap_bail("no sink: %s", why);
	if (virtio_blk_new(&s->blk, s->vm, fuse_disk.path, true, why,
			   sizeof(why)))
		tap_bail("no disk: %s", why);
	driver_start(&s->d, s->vm, s->blk, DRIVER_FEATURES);
	set_number(&s->w, AREA, 1);
	set_number(&s->w, OTHER, 2);
}

static void scene_close(struct scene *s)
{
	virtio_blk_free(s->blk);
	s->w.sink->ops->close(s->w.sink);
	vm_free(s->vm);
}

static void offer_read(struct driver *d)
{
	const struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN };

	memcpy(driver_data(d, 0), &hdr, sizeof(hdr));
	ring_desc(&d->ring[0], 0, driver_gpa(0), sizeof(hdr),
		  VRING_DESC_F_NEXT, 1);
	ring_desc(&d->ring[0], 1, gfn_to_gpa(GFN(AREA)).v, VMM_PAGE_SIZE,
		  VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	ring_desc(&d->ring[0], 2, driver_gpa(0) + 64, 1, VRING_DESC_F_WRITE,
		  0);
	ring_offer(&d->ring[0], 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static bool has_been_read(const struct world *w)
{
	static const char byte = FUSE_DISK_BYTE;
	const volatile char *p = (const volatile char *)words_at(w, AREA);

	for (unsigned int i = 0; i < VMM_PAGE_SIZE; i++)
		if (p[i] != byte)
			return false;
	return true;
}

static void test_read(enum guest_mem_backing backing, const char *name)
{
	struct scene s;
	uint32_t id, len;

	scene_open(&s, backing);
	fuse_disk_gate(false);
	offer_read(&s.d);
	fuse_disk_await_reads(1);
	is_int(world_evict(&s.w, AREA, 1), 0,
	       "a page that the disk reads into stays");
	is_int(world_evict(&s.w, OTHER, 1), 1, "the one after it goes");
	fuse_disk_gate(true);
	if (!driver_wait(&s.d, ring_take_used(&s.d.ring[0], &id, &len)))
		tap_bail("the disk does not answer");
	is_int(driver_data(&s.d, 0)[64], VIRTIO_BLK_S_OK, "it has been read");
	ok(has_been_read(&s.w), "%s: and is in the guest's page", name);
	is_int(world_evict(&s.w, AREA, 1), 1, "which may go from then on");
	ok(has_been_read(&s.w), "and comes back as it was");
	scene_close(&s);
}

int main(void)
{
	alarm(600);
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		tap_skip_all("no /dev/kvm: devices need a VM; load kvm_intel "
			     "or kvm_amd");
	world_require();
	fuse_disk.open_flags = FOPEN_DIRECT_IO;
	fuse_disk_start();
	for (size_t i = 0; i < NR_BACKINGS; i++)
		test_read(backings[i].backing, backings[i].name);
	fuse_disk_stop();
	return tap_done();
}
