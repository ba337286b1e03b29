// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A store's file on a file system that accepts O_DIRECT on open and refuses it
 * on read: two threads find that out at the same time, and both read without
 * it.
 */
#include "config.h"

#include <stdint.h>

#include "tests/unit/fuse-disk.h"
#include "vmm/store/store-device.h"

#define BYTES	   4096
#define NR_READERS 2

struct reader {
	struct store_device *dev;
	uint64_t offset;
	int rc;
	pthread_t thread;
	_Alignas(BYTES) uint8_t data[BYTES];
};

static void *read_it(void *arg)
{
	struct reader *r = arg;

	r->rc = r->dev->ops->read(r->dev, NULL, r->data, BYTES, r->offset);
	return NULL;
}

static bool is_right(const struct reader *r)
{
	for (unsigned int i = 0; i < BYTES; i++)
		if (r->data[i] != FUSE_DISK_BYTE)
			return false;
	return true;
}

int main(void)
{
	static struct reader readers[NR_READERS];
	struct store_device *dev;
	char why[256];

	alarm(600);
	fuse_disk.missing = fuse_disk.no_direct = true;
	fuse_disk_start();
	if (store_file_open(&dev, fuse_disk.path, FUSE_DISK_BYTES, why,
			    sizeof(why)))
		tap_bail("%s", why);
	fuse_disk_gate(false);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		readers[i].dev = dev;
		readers[i].offset = i * (FUSE_DISK_BYTES / NR_READERS);
		if (pthread_create(&readers[i].thread, NULL, read_it,
				   &readers[i]))
			tap_bail("no thread");
	}
	fuse_disk_await_reads(NR_READERS);
	fuse_disk_gate(true);
	for (unsigned int i = 0; i < NR_READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		is_int(readers[i].rc, 0, "refused with O_DIRECT, read without");
		ok(is_right(&readers[i]), "what is there");
	}
	dev->ops->close(dev);
	fuse_disk_stop();
	return tap_done();
}
