// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-rng: the host kernel's random bytes.  A request of any size is
 * answered with at most MAX_BYTES, which the specification allows, so that its
 * cost does not depend on what the guest writes into a length.
 */
#include "config.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"

#define MAX_BYTES 256 /* getrandom() always returns this many */

struct virtio_rng {
	struct virtio_device dev; /* must come first */
};

static int64_t fill(struct virtio_device *dev, struct virtqueue_chain *chain)
{
	char bytes[MAX_BYTES];
	ssize_t n;

	if (!chain->nr_in)
		return -EINVAL;
	n = getrandom(bytes, sizeof(bytes), 0);
	return n <= 0 ? 0 : (int64_t)virtqueue_copy_in(chain, 0, bytes, n);
}

static bool serve(struct virtio_device *dev, unsigned int q)
{
	return virtio_device_drain(dev, q, fill);
}

static const struct virtio_device_ops rng_ops = {
	.serve = serve,
};

int virtio_rng_new(struct virtio_rng **rngp, struct vm *vm, char *why,
		   size_t len)
{
	struct virtio_rng *rng = virtio_device_alloc(sizeof(*rng), why, len);
	int rc;

	if (!rng)
		return -ENOMEM;
	rng->dev.ops = &rng_ops;
	rng->dev.name = "virtio-rng";
	rng->dev.id = VIRTIO_ID_RNG;
	rng->dev.nr_queues = 1;
	rc = virtio_device_add(&rng->dev, vm, why, len);
	if (rc < 0) {
		free(rng);
		return rc;
	}
	*rngp = rng;
	return 0;
}

void virtio_rng_free(struct virtio_rng *rng)
{
	if (!rng)
		return;
	virtio_device_remove(&rng->dev);
	free(rng);
}
