// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much a device may do in one turn, counted, not timed: pages discarded,
 * bytes copied, requests taken; the rest is done later, after other devices'
 * turns.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <sys/stat.h>

#include "tests/unit/virtio-driver.h"
#include "vmm/dev/blk-image.h"
#include "vmm/dev/device.h"
#include "vmm/util/log.h"

#define MIB	    (UINT64_C(1) << 20)
#define AREA	    (16 * MIB)	/* of guest memory, used by nothing else */
#define AREA_PAGES  11264	/* 44 MiB: more than two turns */
#define TURN_PAGES  VIRTIO_TURN_COST
#define STEP_PAGES  1024	/* a turn ends at most one step late */

enum { INFLATE, DEFLATE, REPORTING };

static char why[256];

/* One turn of the I/O thread's loop. */
static void turn(struct vm *vm)
{
	event_base_loop(vm_event_base(vm), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static uint64_t nr_discarded(struct vm *vm)
{
	return guest_mem_nr_discarded(vm_mem(vm));
}

static bool lock_is_free(struct virtio_device *dev)
{
	if (pthread_mutex_trylock(&dev->lock))
		return false;
	pthread_mutex_unlock(&dev->lock);
	return true;
}

/* Turns until a request of q is given back; the most pages of one; -1: never. */
static int64_t turns_of_balloon(struct driver *d, unsigned int q,
				unsigned int *nr_turns)
{
	uint64_t most = 0;
	uint32_t id, len;

	for (*nr_turns = 1; *nr_turns < 10000; ++*nr_turns) {
		uint64_t before = nr_discarded(d->vm), n;

		turn(d->vm);
		n = nr_discarded(d->vm) - before;
		most = n > most ? n : most;
		if (!lock_is_free(d->dev))
			return -1;
		if (ring_take_used(&d->ring[q], &id, &len))
			return most;
	}
	return -1;
}

static void offer_report(struct driver *d, unsigned int nr_pages)
{
	ring_desc(&d->ring[REPORTING], 0, AREA, nr_pages * 4096,
		  VRING_DESC_F_WRITE, 0);
	ring_offer(&d->ring[REPORTING], 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, REPORTING);
}

static void test_report(struct driver *d, struct virtio_balloon *b)
{
	struct virtio_balloon_stats stats;
	uint64_t before = nr_discarded(d->vm);
	unsigned int nr;
	int64_t most;

	offer_report(d, AREA_PAGES);
	most = turns_of_balloon(d, REPORTING, &nr);
	ok(most > 0 && most <= TURN_PAGES + STEP_PAGES && nr > 1,
	   "44 MiB of free pages: in %u turns, of at most %lld pages", nr,
	   (long long)most);
	virtio_balloon_get_stats(b, &stats);
	ok(nr_discarded(d->vm) - before == AREA_PAGES &&
	   stats.nr_reported == AREA_PAGES, "and each page once");
}

static void test_inflate(struct driver *d)
{
	enum { NR = AREA_PAGES / 2 };
	uint32_t *pfns = (uint32_t *)driver_data(d, INFLATE);
	uint64_t before = nr_discarded(d->vm);
	unsigned int nr;
	int64_t most;

	/* No two are neighbours: a call each. */
	for (uint32_t i = 0; i < NR; i++)
		pfns[i] = AREA / 4096 + 2 * i;
	ring_desc(&d->ring[INFLATE], 0, driver_gpa(INFLATE), NR * 4, 0, 0);
	ring_offer(&d->ring[INFLATE], 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, INFLATE);
	most = turns_of_balloon(d, INFLATE, &nr);
	ok(most > 0 && most <= TURN_PAGES / 4 + 256 && nr > 1,
	   "%d scattered pages: in %u turns, of at most %lld", NR, nr,
	   (long long)most);
	is_int(nr_discarded(d->vm) - before, NR, "and each once");
}

/* What a request had behind it says nothing of the next driver's. */
static void test_reset_between(struct driver *d, void *balloon)
{
	uint64_t before;
	uint32_t id, len;

	offer_report(d, AREA_PAGES);
	turn(d->vm);
	ok(!ring_take_used(&d->ring[REPORTING], &id, &len),
	   "a long request is under way");
	driver_start(d, d->vm, balloon, DRIVER_FEATURES);
	turn(d->vm);
	before = nr_discarded(d->vm);
	offer_report(d, 16);
	driver_wait(d, ring_take_used(&d->ring[REPORTING], &id, &len));
	is_int(nr_discarded(d->vm) - before, 16,
	       "after a reset a request begins at its beginning");

	offer_report(d, AREA_PAGES);
	turn(d->vm);
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, REPORTING);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
	driver_queue(d, REPORTING);
	turn(d->vm);
	before = nr_discarded(d->vm);
	offer_report(d, 16);
	driver_wait(d, ring_take_used(&d->ring[REPORTING], &id, &len));
	is_int(nr_discarded(d->vm) - before, 16,
	       "and after its queue was taken away");
}

static void test_too_much(struct driver *d, void *balloon)
{
	uint64_t before = nr_discarded(d->vm);
	struct ring *r = &d->ring[REPORTING];

	/* 3 times 32 MiB of a guest of 64. */
	for (uint16_t i = 0; i < 3; i++)
		ring_desc(r, i, AREA, 32 * MIB, VRING_DESC_F_WRITE |
			  (i < 2 ? VRING_DESC_F_NEXT : 0), i + 1);
	ring_offer(r, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, REPORTING);
	turn(d->vm);
	ok(driver_needs_reset(d) && nr_discarded(d->vm) == before,
	   "more free pages than there are: refused, none discarded");
	driver_start(d, d->vm, balloon, DRIVER_FEATURES);
}

/* Another device of the same thread has its turn while a flood goes on. */
static void test_others(struct driver *d)
{
	struct virtio_rng *rng;
	struct driver other;
	uint32_t id, len;
	bool served = false;

	if (virtio_rng_new(&rng, d->vm, why, sizeof(why)))
		tap_bail("%s", why);
	driver_start(&other, d->vm, rng, DRIVER_FEATURES);
	offer_report(d, AREA_PAGES);
	turn(d->vm);
	ring_desc(&other.ring[0], 0, driver_gpa(1), 64, VRING_DESC_F_WRITE, 0);
	for (int i = 0; i < DRIVER_RING; i++)
		ring_offer(&other.ring[0], 0);
	driver_write(&other, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	turn(d->vm);
	served = ring_take_used(&other.ring[0], &id, &len);
	ok(served && !ring_take_used(&d->ring[REPORTING], &id, &len),
	   "another device is served while a long request is under way");
	ok(other.dev->turn_left <= VIRTIO_TURN_COST - DRIVER_RING *
	   VIRTIO_COST_REQUEST, "each of its requests is charged");
	driver_wait(d, ring_take_used(&d->ring[REPORTING], &id, &len));
	driver_write(&other, VIRTIO_MMIO_STATUS, 0);
	virtio_rng_free(rng);
}

struct waiter {
	struct virtio_device *dev;
	bool had_it;		/* by lock */
};

static void *wait_for_lock(void *arg)
{
	struct waiter *w = arg;

	virtio_device_lock(w->dev);
	w->had_it = true;
	virtio_device_unlock(w->dev);
	return NULL;
}

/* A thread that waits for the lock gets it before its last owner. */
static void test_lock(struct virtio_device *dev)
{
	unsigned int nr_good = 0;

	for (int i = 0; i < 20; i++) {
		struct waiter w = { dev, false };
		pthread_t thread;

		virtio_device_lock(dev);
		if (pthread_create(&thread, NULL, wait_for_lock, &w))
			tap_bail("no thread");
		while (!pthread_mutex_trylock(&dev->turnstile)) {
			pthread_mutex_unlock(&dev->turnstile);
			usleep(100);
		}
		virtio_device_unlock(dev);
		virtio_device_lock(dev);
		nr_good += w.had_it;
		virtio_device_unlock(dev);
		pthread_join(thread, NULL);
	}
	is_int(nr_good, 20, "a waiter has the lock next, each time");
}

/* The frames of a ring can't be evicted while a driver uses it, only then. */
static unsigned int nr_held(struct driver *d, unsigned int q)
{
	unsigned int n = 0;

	for (uint64_t i = 0; i < RING_BYTES / 4096; i++)
		n += guest_mem_is_pinned(vm_mem(d->vm),
					 GFN((DRIVER_RINGS + q * RING_BYTES) /
					     4096 + i));
	return n;
}

static void test_held(struct driver *d, void *balloon)
{
	driver_start(d, d->vm, balloon, DRIVER_FEATURES);
	/* Descriptors, available, used: three pages of four. */
	ok(nr_held(d, 0) == 3 && nr_held(d, 2) == 3, "rings in use are held");
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 0);
	ok(!nr_held(d, 0) && nr_held(d, 2) == 3,
	   "one that is taken away is not, the others are");
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	ok(!nr_held(d, 1) && !nr_held(d, 2), "after a reset none is");
	for (int i = 0; i < 300; i++)
		driver_start(d, d->vm, balloon, DRIVER_FEATURES);
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	ok(!nr_held(d, 0) && !nr_held(d, 2), "nor after 300 drivers");
}

/* --- disk ------------------------------------------------------------------- */

static unsigned int nr_asked, stop_at;

static bool asked(void *arg)
{
	return ++nr_asked == stop_at;
}

static void test_image(const char *path)
{
	struct blk_image img = { .stopped = asked };
	static char buf[4 * 1024 * 1024];
	struct iovec iov[16];
	char word[4];

	for (int i = 0; i < 16; i++)
		iov[i] = (struct iovec){ buf, sizeof(buf) };
	memset(buf, 'x', sizeof(buf));
	if (blk_image_open(&img, path, false, why, sizeof(why)))
		tap_bail("%s", why);
	is_int(blk_image_transfer(&img, true, 8, iov, 16, 0, 64 * MIB), 0,
	       "an image takes 64 MiB");
	is_int(nr_asked, 64, "and asks 64 times whether to go on");
	nr_asked = 0;
	stop_at = 3;
	memset(buf, 'y', sizeof(buf));
	is_int(blk_image_transfer(&img, true, 8, iov, 16, 0, 64 * MIB),
	       -ECANCELED, "it gives up when told to");
	ok(pread(img.fd, word, 1, 4096 + 2 * MIB - 1) == 1 && *word == 'y' &&
	   pread(img.fd, word, 1, 4096 + 2 * MIB) == 1 && *word == 'x',
	   "after the piece it was at");
	nr_asked = stop_at = 0;
	is_int(blk_image_zero(&img, false, 0, 1024 * MIB), 0,
	       "1 GiB becomes a hole");
	is_int(nr_asked, 16, "in 16 pieces");
	ok(pread(img.fd, word, 1, 4096) == 1 && !*word &&
	   pread(img.fd, word, 1, 64 * MIB) == 1 && !*word, "all of it");
	nr_asked = 0;
	stop_at = 1;
	is_int(blk_image_zero(&img, false, 0, 1024 * MIB), -ECANCELED,
	       "that ends when told to, too");
	blk_image_close(&img);
}

/* nr buffers of len bytes, all the same memory.  The status, or -1. */
static int disk(struct driver *d, uint32_t type, unsigned int nr, uint32_t len)
{
	struct virtio_blk_outhdr hdr = { .type = type };
	struct ring *r = &d->ring[0];
	uint8_t *status = (uint8_t *)driver_data(d, 0) + sizeof(hdr);
	uint16_t flags = VRING_DESC_F_NEXT |
			 (type == VIRTIO_BLK_T_IN ? VRING_DESC_F_WRITE : 0);
	uint32_t id, used;

	memcpy(driver_data(d, 0), &hdr, sizeof(hdr));
	*status = 0x55;
	ring_desc(r, 0, driver_gpa(0), sizeof(hdr), VRING_DESC_F_NEXT, 1);
	for (unsigned int i = 1; i <= nr; i++)
		ring_desc(r, i, AREA, len, flags, i + 1);
	ring_desc(r, nr + 1, driver_gpa(0) + sizeof(hdr), 1,
		  VRING_DESC_F_WRITE, 0);
	ring_offer(r, 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	return driver_wait(d, ring_take_used(r, &id, &used)) ? *status : -1;
}

static void test_disk(struct vm *vm)
{
	char path[] = "/tmp/vmm-turns-XXXXXX", fifo[64];
	int fd = mkstemp(path);
	struct virtio_blk_config config;
	struct virtio_blk *blk;
	struct driver d;
	struct stat st;

	if (fd < 0 || ftruncate(fd, 1024 * 1024 * MIB))
		tap_bail("no sparse file");
	test_image(path);
	if (virtio_blk_new(&blk, vm, path, false, why, sizeof(why)))
		tap_bail("%s", why);
	driver_start(&d, vm, blk, DRIVER_FEATURES);
	memcpy(&config, d.dev->config, sizeof(config));
	ok(virtio_device_has(d.dev, VIRTIO_BLK_F_SIZE_MAX) &&
	   (uint64_t)config.size_max * config.seg_max == 64 * MIB,
	   "the driver is told the largest request: %u of %u bytes",
	   config.seg_max, config.size_max);
	is_int(disk(&d, VIRTIO_BLK_T_OUT, 60, 32 * MIB), VIRTIO_BLK_S_IOERR,
	       "a write of 1920 MiB is refused");
	ok(!fstat(fd, &st) && (uint64_t)st.st_blocks * 512 < MIB,
	   "and nothing of it is written");
	is_int(disk(&d, VIRTIO_BLK_T_IN, 60, 32 * MIB), VIRTIO_BLK_S_IOERR,
	       "a read of as much, too");
	is_int(disk(&d, VIRTIO_BLK_T_IN, 2, 32 * MIB), VIRTIO_BLK_S_OK,
	       "one of 64 MiB is done");
	is_int(disk(&d, VIRTIO_BLK_T_IN, 2, 32 * MIB + 512), VIRTIO_BLK_S_IOERR,
	       "one of a sector more is not");
	is_int(disk(&d, VIRTIO_BLK_T_OUT, 1, 512), VIRTIO_BLK_S_OK,
	       "the disk serves on");
	virtio_blk_free(blk);
	unlink(path);
	close(fd);

	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	if (mkfifo(fifo, 0600))
		tap_bail("no fifo");
	ok(virtio_blk_new(&blk, vm, fifo, true, why, sizeof(why)) == -EINVAL,
	   "a fifo is refused, not waited for: %s", why);
	unlink(fifo);
}

/* Once the VM is to stop nothing is begun any more. */
static void test_stop(struct driver *d, void *balloon)
{
	uint64_t before;

	driver_start(d, d->vm, balloon, DRIVER_FEATURES);
	offer_report(d, AREA_PAGES);
	turn(d->vm);
	before = nr_discarded(d->vm);
	vm_stop(d->vm, VM_END_STOPPED);
	for (int i = 0; i < 100; i++)
		turn(d->vm);
	is_int(nr_discarded(d->vm) - before, 0,
	       "a VM that stops begins no turn");
}

int main(void)
{
	struct vm *vm = driver_vm();
	struct virtio_balloon *balloon;
	struct driver d;

	log_set_level(LOG_LEVEL_ERROR);
	if (virtio_balloon_new(&balloon, vm, why, sizeof(why)))
		tap_bail("%s", why);
	driver_start(&d, vm, balloon, DRIVER_FEATURES);
	test_report(&d, balloon);
	test_inflate(&d);
	test_reset_between(&d, balloon);
	test_too_much(&d, balloon);
	test_others(&d);
	test_lock(d.dev);
	test_held(&d, balloon);
	test_disk(vm);
	test_stop(&d, balloon);
	virtio_balloon_free(balloon);
	vm_free(vm);
	return tap_done();
}
