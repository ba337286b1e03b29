// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-balloon (virtio 1.2, section 5.5): the guest gives pages up, either
 * because we asked (inflate) or because they are free anyway (free page
 * reporting).  Both end in guest_mem_discard(), a run of frames at a time.
 *
 * A deflated page needs nothing from us: it is filled with zeros when the
 * guest touches it.  Therefore MUST_TELL_HOST is not offered.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"
#include "vmm/kvm/vm.h"
#include "vmm/mem/guest_mem.h"

/* Linux numbers the queues it has; statistics and hinting are not offered. */
enum { INFLATE, DEFLATE, REPORTING, NR_QUEUES };

/* Frames sorted at a time; Linux sends at most 256. */
#define BATCH 1024

struct virtio_balloon {
	struct virtio_device dev; /* must come first */
	struct log_limit limit;
	/* Locked by dev.lock: */
	struct virtio_balloon_config config;
	uint64_t nr_reported;
};

static struct virtio_balloon *to_balloon(struct virtio_device *dev)
{
	return (struct virtio_balloon *)dev;
}

static bool discard(struct virtio_balloon *b, uint64_t start, uint64_t nr)
{
	struct gfn_range range = { GFN(start), nr };
	int rc = guest_mem_discard(b->dev.mem, range);

	if (rc < 0)
		log_limited(&b->limit, LOG_LEVEL_WARN,
			    "virtio-balloon: cannot take frames %#llx+%llu: %s",
			    (unsigned long long)start, (unsigned long long)nr,
			    strerror(-rc));
	return !rc;
}

static int compare_pfns(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, and discards each run of consecutive frames in one call. */
static void discard_pfns(struct virtio_balloon *b, uint32_t *pfns, size_t nr)
{
	size_t start = 0;

	for (size_t i = 0; i < nr; i++)
		pfns[i] = le32toh(pfns[i]);
	qsort(pfns, nr, sizeof(pfns[0]), compare_pfns);
	for (size_t i = 1; i <= nr; i++) {
		/* A frame named twice continues the run, too. */
		if (i < nr && pfns[i] - pfns[i - 1] <= 1)
			continue;
		discard(b, pfns[start],
			(uint64_t)pfns[i - 1] - pfns[start] + 1);
		start = i;
	}
}

static int64_t inflate(struct virtio_device *dev,
		       struct virtqueue_chain *chain)
{
	uint32_t pfns[BATCH];
	size_t off = 0, n;

	/* The ring's buffers may be large: the total is bounded by RAM. */
	if (chain->out_bytes / sizeof(pfns[0]) > guest_mem_nr_pages(dev->mem))
		return -EINVAL;
	while ((n = virtqueue_copy_out(chain, off, pfns, sizeof(pfns)))) {
		discard_pfns(to_balloon(dev), pfns, n / sizeof(pfns[0]));
		off += n;
	}
	return 0;
}

static int64_t deflate(struct virtio_device *dev,
		       struct virtqueue_chain *chain)
{
	return 0;
}

/* The buffers are the free pages themselves. */
static int64_t report(struct virtio_device *dev, struct virtqueue_chain *chain)
{
	struct virtio_balloon *b = to_balloon(dev);

	for (unsigned int i = 0; i < chain->nr_in; i++) {
		const struct iovec *iov = &chain->iov[chain->nr_out + i];
		uintptr_t hva = (uintptr_t)iov->iov_base;
		gfn_t gfn;

		/* Whole frames only; anything else is still in use. */
		if (hva % VMM_PAGE_SIZE || iov->iov_len % VMM_PAGE_SIZE ||
		    !guest_mem_hva_to_gfn(dev->mem, hva, &gfn))
			return -EINVAL;
		if (discard(b, gfn.v, iov->iov_len >> VMM_PAGE_SHIFT))
			b->nr_reported += iov->iov_len >> VMM_PAGE_SHIFT;
	}
	return 0;
}

static bool serve(struct virtio_device *dev, unsigned int q)
{
	static int64_t (*const handlers[NR_QUEUES])(
		struct virtio_device *, struct virtqueue_chain *) = {
		[INFLATE] = inflate,
		[DEFLATE] = deflate,
		[REPORTING] = report,
	};

	return virtio_device_drain(dev, q, handlers[q]);
}

/* The driver tells how much it gave; the target is ours. */
static void config_write(struct virtio_device *dev, size_t off,
			 const void *data, size_t len)
{
	struct virtio_balloon *b = to_balloon(dev);

	if (off == offsetof(struct virtio_balloon_config, actual) && len == 4)
		memcpy(&b->config.actual, data, len);
}

static void stop(struct virtio_device *dev, unsigned int q)
{
	if (q == dev->nr_queues)
		to_balloon(dev)->config.actual = 0;
}

static const struct virtio_device_ops balloon_ops = {
	.serve = serve,
	.stop = stop,
	.config_write = config_write,
};

void virtio_balloon_set_target(struct virtio_balloon *b, uint64_t nr_bytes)
{
	uint64_t nr_pages = nr_bytes >> VMM_PAGE_SHIFT;

	if (nr_pages > guest_mem_nr_pages(b->dev.mem))
		nr_pages = guest_mem_nr_pages(b->dev.mem);
	if (nr_pages > UINT32_MAX)
		nr_pages = UINT32_MAX;
	pthread_mutex_lock(&b->dev.lock);
	b->config.num_pages = htole32(nr_pages);
	virtio_device_config_changed(&b->dev);
	pthread_mutex_unlock(&b->dev.lock);
}

void virtio_balloon_get_stats(const struct virtio_balloon *balloon,
			      struct virtio_balloon_stats *stats)
{
	struct virtio_balloon *b = (struct virtio_balloon *)balloon;

	pthread_mutex_lock(&b->dev.lock);
	stats->target_bytes = (uint64_t)le32toh(b->config.num_pages) <<
			      VMM_PAGE_SHIFT;
	stats->actual_bytes = (uint64_t)le32toh(b->config.actual) <<
			      VMM_PAGE_SHIFT;
	stats->nr_reported = b->nr_reported;
	pthread_mutex_unlock(&b->dev.lock);
}

int virtio_balloon_new(struct virtio_balloon **bp, struct vm *vm, char *why,
		       size_t len)
{
	struct virtio_balloon *b = virtio_device_alloc(sizeof(*b), why, len);
	int rc;

	if (!b)
		return -ENOMEM;
	b->dev.ops = &balloon_ops;
	b->dev.name = "virtio-balloon";
	b->dev.id = VIRTIO_ID_BALLOON;
	b->dev.nr_queues = NR_QUEUES;
	b->dev.features = UINT64_C(1) << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
	/* Free pages are of use only where they can be given back. */
	if (!guest_mem_is_hugetlb(vm_mem(vm)))
		b->dev.features |= UINT64_C(1) << VIRTIO_BALLOON_F_REPORTING;
	b->dev.config = &b->config;
	b->dev.config_bytes = offsetof(struct virtio_balloon_config,
				       free_page_hint_cmd_id);
	rc = virtio_device_add(&b->dev, vm, why, len);
	if (rc < 0) {
		free(b);
		return rc;
	}
	*bp = b;
	return 0;
}

void virtio_balloon_free(struct virtio_balloon *b)
{
	if (!b)
		return;
	virtio_device_remove(&b->dev);
	free(b);
}
