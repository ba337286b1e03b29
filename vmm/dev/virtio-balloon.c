// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-balloon (virtio 1.2, section 5.5): the guest gives up pages, either on
 * our request (inflate) or because they are free anyway (free page reporting).
 * Both use guest_mem_discard(), a run of frames at a time.
 *
 * One request can name all of memory, or the same frames in 256 buffers.  So a
 * request may take several turns (VIRTIO_TURN_COST), with the lock released in
 * between: done[] is the progress.  The guest may change the request meanwhile;
 * that only affects which of its own frames are discarded.
 *
 * A turn reads the guest's memory, with the lock held; if a page of it is in a
 * store whose device does not answer, it waits until the device's timeout.  So
 * the control socket and the engine never wait for the lock.
 *
 * A deflated page needs no action: the kernel allocates a zero page when the
 * guest touches it.  Therefore MUST_TELL_HOST is not offered.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/device.h"
#include "vmm/dev/virtio.h"
#include "vmm/kvm/vm.h"
#include "vmm/mem/guest-mem.h"
#include "vmm/util/error-text.h"

/*
 * Linux numbers only the queues that are offered; statistics and hinting are
 * not.
 */
enum { INFLATE, DEFLATE, REPORTING, NR_QUEUES };

/* Frames to inflate in one step of a turn; Linux sends 256 at most. */
#define BATCH 256
/* Frames of a free page report discarded in one step of a turn. */
#define PIECE 1024
/* Cost of a discard call, in addition to its frames. */
#define COST_DISCARD 3

/*
 * Seconds after which a cycle of inflating and deflating is ended: the guest
 * has less free memory than was requested.
 */
#define CYCLE_S 5

struct virtio_balloon {
	struct virtio_device dev; /* must come first */
	struct log_limit limit;
	/* Pages the guest is to give up; set by any thread: atomic. */
	uint32_t target_pages;
	/*
	 * Locked by dev.lock.  The statistics read config.actual and
	 * nr_reported without the lock, so as not to wait for a turn; hence
	 * these are written atomically.
	 */
	struct virtio_balloon_config config;
	uint64_t nr_reported;
	uint64_t done[NR_QUEUES]; /* bytes done of the current request */
	bool cycling;		/* a cycle runs: num_pages exceeds the target */
	struct event *apply_target; /* owned: target set, or cycle timed out */
};

static struct virtio_balloon *to_balloon(struct virtio_device *dev)
{
	return (struct virtio_balloon *)dev;
}

static bool discard(struct virtio_balloon *b, uint64_t start, uint64_t nr)
{
	struct gfn_range range = { GFN(start), nr };
	int rc = guest_mem_discard(b->dev.mem, range);

	virtio_device_charge(&b->dev, COST_DISCARD + nr);
	if (rc < 0)
		log_limited(&b->limit, LOG_LEVEL_WARN,
			    "virtio-balloon: cannot discard frames %#llx+%llu: "
			    "%s",
			    (unsigned long long)start, (unsigned long long)nr,
			    error_text(-rc));
	return !rc;
}

static int compare_pfns(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts pfns, and discards each run of consecutive frames in one call. */
static void discard_pfns(struct virtio_balloon *b, uint32_t *pfns, size_t nr)
{
	size_t start = 0;

	for (size_t i = 0; i < nr; i++)
		pfns[i] = le32toh(pfns[i]);
	qsort(pfns, nr, sizeof(pfns[0]), compare_pfns);
	for (size_t i = 1; i <= nr; i++) {
		/* A frame named twice also continues the run. */
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
	uint64_t *done = &to_balloon(dev)->done[INFLATE];
	uint32_t pfns[BATCH];
	size_t n;

	/* Buffers may be large; no request needs more frames than there are. */
	if (chain->out_bytes / sizeof(pfns[0]) > guest_mem_nr_pages(dev->mem))
		return -EINVAL;
	while ((n = virtqueue_copy_out(chain, *done, pfns, sizeof(pfns)))) {
		if (!dev->turn_left)
			return -EINPROGRESS;
		discard_pfns(to_balloon(dev), pfns, n / sizeof(pfns[0]));
		*done += n;
	}
	*done = 0;
	return 0;
}

static int64_t deflate(struct virtio_device *dev,
		       struct virtqueue_chain *chain)
{
	return 0;
}

/*
 * A report may name only whole frames, as the rest of a partial frame is in
 * use; and no more than guest memory has.
 */
static bool report_is_valid(const struct virtio_balloon *b,
			    const struct virtqueue_chain *chain)
{
	for (unsigned int i = 0; i < chain->nr_in; i++) {
		const struct iovec *iov = &chain->iov[chain->nr_out + i];

		if ((uintptr_t)iov->iov_base % VMM_PAGE_SIZE ||
		    iov->iov_len % VMM_PAGE_SIZE)
			return false;
	}
	return chain->in_bytes >> VMM_PAGE_SHIFT <=
	       guest_mem_nr_pages(b->dev.mem);
}

/* The buffers of a report are the free pages. */
static int64_t report(struct virtio_device *dev, struct virtqueue_chain *chain)
{
	struct virtio_balloon *b = to_balloon(dev);
	uint64_t *done = &b->done[REPORTING];
	struct iovec slice[VIRTQUEUE_MAX_SEGS];

	if (!report_is_valid(b, chain))
		return -EINVAL;
	/* The first entry of the slice is part of one buffer. */
	while (iov_slice(chain->iov + chain->nr_out, chain->nr_in, *done,
			 PIECE << VMM_PAGE_SHIFT, slice, NULL)) {
		uint64_t nr = slice[0].iov_len >> VMM_PAGE_SHIFT;
		gfn_t gfn;

		if (!dev->turn_left)
			return -EINPROGRESS;
		if (guest_mem_hva_to_gfn(dev->mem,
					 (uintptr_t)slice[0].iov_base, &gfn) &&
		    discard(b, gfn.v, nr))
			__atomic_fetch_add(&b->nr_reported, nr,
					   __ATOMIC_RELAXED);
		*done += slice[0].iov_len;
	}
	*done = 0;
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

static void set_num_pages(struct virtio_balloon *b, uint32_t nr_pages)
{
	if (le32toh(b->config.num_pages) == nr_pages)
		return;
	b->config.num_pages = htole32(nr_pages);
	virtio_device_config_changed(&b->dev);
}

static uint32_t target_of(const struct virtio_balloon *b)
{
	return __atomic_load_n(&b->target_pages, __ATOMIC_RELAXED);
}

static void end_cycle(struct virtio_balloon *b)
{
	b->cycling = false;
	/* Don't wait for the callback, which may be waiting for our lock. */
	event_del_noblock(b->apply_target);
	set_num_pages(b, target_of(b));
}

static void on_apply_target(evutil_socket_t fd, short what, void *arg)
{
	struct virtio_balloon *b = arg;

	virtio_device_lock(&b->dev);
	end_cycle(b);
	virtio_device_unlock(&b->dev);
}

/* The driver may write only `actual`, how much it gave up, not the target. */
static void config_write(struct virtio_device *dev, size_t off,
			 const void *data, size_t len)
{
	struct virtio_balloon *b = to_balloon(dev);
	uint32_t actual;

	if (off == offsetof(struct virtio_balloon_config, actual) &&
	    len == sizeof(actual)) {
		memcpy(&actual, data, len);
		__atomic_store_n(&b->config.actual, actual, __ATOMIC_RELAXED);
	}
	if (b->cycling &&
	    le32toh(b->config.actual) >= le32toh(b->config.num_pages))
		end_cycle(b);
}

static void stop(struct virtio_device *dev, unsigned int q)
{
	struct virtio_balloon *b = to_balloon(dev);

	if (q != dev->nr_queues) {	/* not a reset */
		b->done[q] = 0;
		return;
	}
	memset(b->done, 0, sizeof(b->done));
	__atomic_store_n(&b->config.actual, 0, __ATOMIC_RELAXED);
	b->cycling = false;
	b->config.num_pages = htole32(target_of(b));
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
	__atomic_store_n(&b->target_pages, nr_pages, __ATOMIC_RELAXED);
	event_active(b->apply_target, EV_TIMEOUT, 0);
}

int virtio_balloon_inflate_and_deflate(struct virtio_balloon *b,
				       uint64_t nr_bytes)
{
	const struct timeval limit = { CYCLE_S, 0 };
	uint64_t nr_pages = nr_bytes >> VMM_PAGE_SHIFT;
	uint32_t actual;
	int rc = 0;

	/* The engine calls this with its lock held: do not wait for a turn. */
	if (pthread_mutex_trylock(&b->dev.lock))
		return -EBUSY;
	actual = le32toh(b->config.actual);
	if (!virtio_device_running(&b->dev))
		rc = -ENODEV;
	else if (b->cycling || actual > target_of(b))
		rc = -EBUSY;
	else if (!nr_pages ||
		 nr_pages > guest_mem_nr_pages(b->dev.mem) - actual)
		rc = -EINVAL;
	if (!rc && evtimer_add(b->apply_target, &limit))
		rc = -ENOMEM;
	if (!rc) {
		b->cycling = true;
		set_num_pages(b, actual + nr_pages);
	}
	virtio_device_unlock(&b->dev);
	return rc;
}

void virtio_balloon_get_stats(const struct virtio_balloon *balloon,
			      struct virtio_balloon_stats *stats)
{
	uint32_t actual = __atomic_load_n(&balloon->config.actual,
					  __ATOMIC_RELAXED);

	stats->target_bytes = (uint64_t)target_of(balloon) << VMM_PAGE_SHIFT;
	stats->actual_bytes = (uint64_t)le32toh(actual) << VMM_PAGE_SHIFT;
	stats->nr_reported = __atomic_load_n(&balloon->nr_reported,
					     __ATOMIC_RELAXED);
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
	/* Free page reports are useful only if the pages can be discarded. */
	if (!guest_mem_is_hugetlb(vm_mem(vm)))
		b->dev.features |= UINT64_C(1) << VIRTIO_BALLOON_F_REPORTING;
	b->dev.config = &b->config;
	b->dev.config_bytes = offsetof(struct virtio_balloon_config,
				       free_page_hint_cmd_id);
	b->apply_target = evtimer_new(vm_event_base(vm), on_apply_target, b);
	if (!b->apply_target) {
		snprintf(why, len, "not enough memory for the balloon's timer");
		free(b);
		return -ENOMEM;
	}
	rc = virtio_device_add(&b->dev, vm, why, len);
	if (rc < 0) {
		event_free(b->apply_target);
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
	event_free(b->apply_target);
	virtio_device_remove(&b->dev);
	free(b);
}
