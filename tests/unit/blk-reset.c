// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A reset while the disk's thread is processing a request: the reset waits,
 * since afterwards the buffers belong to the guest again, and the request is
 * not completed.  The thread is blocked by userfaultfd: the page that it reads
 * into is missing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/unit/virtio-driver.h"
#include "vmm/dev/device.h"
#include "vmm/util/log.h"

#define AREA UINT64_C(0x1000000)

static char why[256];

static int open_faults(struct uffdio_range *range)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = *range, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
	    !ioctl(fd, UFFDIO_REGISTER, &reg))
		return fd;
	tap_refused(-errno, "userfaultfd may not be used: run as root, on a "
		    "kernel with CONFIG_USERFAULTFD");
	return -1;
}

struct resetter {
	struct driver *d;
	bool done;		/* atomic */
};

static void *reset(void *arg)
{
	struct resetter *r = arg;

	driver_write(r->d, VIRTIO_MMIO_STATUS, 0);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void offer_read(struct driver *d)
{
	struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN };

	memcpy(driver_data(d, 0), &hdr, sizeof(hdr));
	ring_desc(&d->ring[0], 0, driver_gpa(0), sizeof(hdr),
		  VRING_DESC_F_NEXT, 1);
	ring_desc(&d->ring[0], 1, AREA, 4096,
		  VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	ring_desc(&d->ring[0], 2, driver_gpa(0) + 64, 1, VRING_DESC_F_WRITE,
		  0);
	ring_offer(&d->ring[0], 0);
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* Of the first queue, as the device's thread writes it. */
static uint16_t nr_used(const struct driver *d)
{
	return __atomic_load_n(&d->ring[0].used->idx, __ATOMIC_ACQUIRE);
}

int main(void)
{
	struct vm *vm = driver_vm();
	struct uffdio_zeropage zero;
	struct resetter r = { 0 };
	char path[] = "/tmp/vmm-reset-XXXXXX";
	struct virtio_blk *blk;
	struct pollfd p = { .events = POLLIN };
	int fd = mkstemp(path);
	uint16_t used;
	struct driver d;
	pthread_t thread;

	log_set_level(LOG_LEVEL_ERROR);
	if (fd < 0 || ftruncate(fd, 1 << 20) ||
	    virtio_blk_new(&blk, vm, path, false, why, sizeof(why)))
		tap_bail("no disk");
	unlink(path);
	zero = (struct uffdio_zeropage){ .range = {
		(uintptr_t)guest_mem_ptr(vm_mem(vm), GPA(AREA), 4096), 4096 } };
	p.fd = open_faults(&zero.range);
	driver_start(&d, vm, blk, DRIVER_FEATURES);
	offer_read(&d);
	ok(poll(&p, 1, 60000) == 1, "the thread is inside a request");
	used = nr_used(&d);
	r.d = &d;
	if (pthread_create(&thread, NULL, reset, &r))
		tap_bail("no thread");
	usleep(300000);
	ok(!__atomic_load_n(&r.done, __ATOMIC_ACQUIRE),
	   "a reset waits for it");
	ioctl(p.fd, UFFDIO_ZEROPAGE, &zero);
	pthread_join(thread, NULL);
	usleep(50000);
	is_int(nr_used(&d), used, "the request is not given back");
	driver_start(&d, vm, blk, DRIVER_FEATURES);
	offer_read(&d);
	ok(driver_wait(&d, nr_used(&d) == 1), "the next one is");
	close(p.fd);
	virtio_blk_free(blk);
	close(fd);
	vm_free(vm);
	return tap_done();
}
