// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/mem/faults-internal.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/min-max.h"
#include "vmm/util/small-file.h"
#include "vmm/util/thread.h"

#define MIN_BLOCK   UINT64_C(512)		/* pages: 2 MiB */
#define MAX_MAPS    65530			/* the kernel's default limit */
#define TURN_NS	    (20 * NSEC_PER_MSEC)	/* see serve_some() */

bool guest_mem_has_faults(const struct guest_mem *mem)
{
	return mem->has_faults;
}

unsigned int guest_faults_shard(const struct guest_faults *f, gfn_t gfn)
{
	return gfn.v / FAULTS_SHARD_PAGES % f->nr;
}

gfn_t guest_faults_shard_end(gfn_t gfn)
{
	return GFN((gfn.v / FAULTS_SHARD_PAGES + 1) * FAULTS_SHARD_PAGES);
}

/* Must serve faults in kernel mode too, as those of KVM are. */
static int open_fd(void)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), fd = -1;

	if (dev >= 0) {
		fd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		close(dev);
	}
	if (fd < 0)
		fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_shard(struct faults_shard *s, bool is_memfd, char *why, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };

	if (is_memfd)
		api.features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	else
		api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	s->fd = open_fd();
	if (s->fd == -EPERM || s->fd == -EACCES) {
		snprintf(why, len, "serving page faults of guests needs root, "
			 "access to /dev/userfaultfd, or "
			 "vm.unprivileged_userfaultfd=1");
	} else if (s->fd == -ENOSYS) {
		snprintf(why, len, "serving page faults of guests needs a "
			 "kernel with CONFIG_USERFAULTFD");
	} else if (s->fd < 0) {
		snprintf(why, len, "userfaultfd: %s", error_text(-s->fd));
	} else if (ioctl(s->fd, UFFDIO_API, &api)) {
		snprintf(why, len, "this kernel's userfaultfd cannot "
			 "write-protect %s memory: Linux %s or later is needed",
			 is_memfd ? "memfd" : "anonymous",
			 is_memfd ? "5.19" : "5.7");
		return -EOPNOTSUPP;
	}
	return s->fd < 0 ? s->fd : 0;
}

static int stop_fault_around(struct guest_faults *f)
{
	int rc = 0;

	for (unsigned int i = 0; i < f->mem->nr_slots; i++) {
		const struct guest_memslot *s = &f->mem->slots[i];
		uint64_t g = s->base.v, end = g + s->nr_pages, next;

		for (; !rc && g < end; g = next) {
			next = min_u64(end, guest_faults_shard_end(GFN(g)).v);
			rc = faults_register(f, (struct gfn_range){ GFN(g),
					     next - g },
					     UFFDIO_REGISTER_MODE_WP);
		}
	}
	return rc;
}

void guest_faults_retry_after(struct guest_faults *f, unsigned int shard,
			      uint64_t delay_ns)
{
	struct faults_shard *s = &f->shards[shard];
	uint64_t at = clock_now_ns() + delay_ns;

	if (!s->retry_ns || at < s->retry_ns)
		s->retry_ns = at;
}

static void serve(struct faults_shard *s, const struct uffd_msg *msg)
{
	struct guest_faults *f = s->faults;
	gfn_t gfn;

	if (msg->event != UFFD_EVENT_PAGEFAULT ||
	    !guest_mem_hva_to_gfn(f->mem, msg->arg.pagefault.address, &gfn))
		return;
	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		__atomic_fetch_add(&s->nr_write_protected, 1, __ATOMIC_RELAXED);
		f->ops->write_protected(f->arg, s->index, gfn);
	} else {
		__atomic_fetch_add(&s->nr_missing, 1, __ATOMIC_RELAXED);
		f->ops->missing(f->arg, s->index, gfn);
	}
}

/* For poll(), rounded up.  0: a retry is due; -1: none is requested. */
static int ms_until_retry(const struct faults_shard *s)
{
	uint64_t now = clock_now_ns();

	if (!s->retry_ns)
		return -1;
	return now >= s->retry_ns ? 0 :
	       (s->retry_ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
}

static bool has_messages(const struct faults_shard *s)
{
	return s->next_msg < s->nr_msgs;
}

static void take_messages(struct faults_shard *s)
{
	ssize_t n = read(s->fd, s->msgs, sizeof(s->msgs));

	s->next_msg = 0;
	s->nr_msgs = n > 0 ? n / sizeof(s->msgs[0]) : 0;
}

/*
 * Serves the faults that one read returns.  Once a retry is due and TURN_NS
 * have passed, leaves the others for the next turn: each may have to wait for a
 * slow device.
 */
static void serve_some(struct faults_shard *s)
{
	uint64_t end = clock_now_ns() + TURN_NS;

	if (!has_messages(s))
		take_messages(s);
	while (has_messages(s) && !faults_is_stopping(s->faults)) {
		serve(s, &s->msgs[s->next_msg++]);
		if (!ms_until_retry(s) && clock_now_ns() >= end)
			break;
	}
}

/* Faults and retries take turns, so that neither starves the other. */
static void *shard_thread(void *arg)
{
	struct faults_shard *s = arg;
	struct pollfd fds[] = {
		{ .fd = s->fd, .events = POLLIN },
		{ .fd = s->faults->stop_fd, .events = POLLIN },
	};

	while (!faults_is_stopping(s->faults)) {
		poll(fds, 2, has_messages(s) ? 0 : ms_until_retry(s));
		serve_some(s);
		if (!ms_until_retry(s) && !faults_is_stopping(s->faults)) {
			s->retry_ns = 0;
			s->faults->ops->retry(s->faults->arg, s->index);
		}
	}
	return NULL;
}

static int start_thread(struct faults_shard *s)
{
	int rc = thread_start(&s->thread, shard_thread, s);

	s->has_thread = !rc;
	if (!rc)
		pthread_setname_np(s->thread, "faults");
	return rc;
}

/*
 * Large enough that in the worst case (every second block is watched) the
 * blocks take half of the mappings that a process may have (vm.max_map_count).
 */
static uint64_t choose_block(const struct guest_mem *mem)
{
	uint64_t pages = MIN_BLOCK, maps = MAX_MAPS;

	small_file_number("/proc/sys/vm/max_map_count", &maps);
	while (pages < FAULTS_SHARD_PAGES &&
	       guest_mem_nr_frames(mem) / pages > maps / 2)
		pages *= 2;
	return pages;
}

static int open_own_fds(struct guest_faults *f, char *why, size_t len)
{
	int rc = 0;

	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (f->stop_fd >= 0)
		f->empty_fd = memfd_create("lost-pages", MFD_CLOEXEC);
	if (f->stop_fd < 0 || f->empty_fd < 0) {
		rc = -errno;
		snprintf(why, len, "cannot open the files that serving page "
			 "faults needs: %s", error_text(-rc));
	}
	return rc;
}

int guest_faults_new(struct guest_faults **faultsp, struct guest_mem *mem,
		     unsigned int nr_shards, const struct guest_faults_ops *ops,
		     void *arg, char *why, size_t len)
{
	bool is_memfd = guest_mem_is_shared(mem);
	struct guest_faults *f = calloc(1, sizeof(*f) +
					nr_shards * sizeof(f->shards[0]));
	int rc;

	snprintf(why, len, "not enough memory to serve page faults");
	if (!f)
		return -ENOMEM;
	f->mem = mem;
	f->ops = ops;
	f->arg = arg;
	f->nr = nr_shards;
	f->stop_fd = f->empty_fd = -1;
	f->block_pages = choose_block(mem);
	f->watched = calloc(guest_mem_nr_frames(mem) / f->block_pages + 1, 1);
	for (unsigned int i = 0; i < nr_shards; i++)
		f->shards[i] = (struct faults_shard){ .faults = f, .index = i,
					       .fd = -1 };
	rc = f->watched ? open_own_fds(f, why, len) : -ENOMEM;
	for (unsigned int i = 0; !rc && i < nr_shards; i++)
		rc = open_shard(&f->shards[i], is_memfd, why, len);
	if (!rc && is_memfd) {
		rc = stop_fault_around(f);
		if (rc)
			snprintf(why, len, "userfaultfd: cannot register guest "
				 "memory: %s", error_text(-rc));
	}
	if (!rc)
		mem->has_faults = true;
	for (unsigned int i = 0; !rc && i < nr_shards; i++) {
		rc = start_thread(&f->shards[i]);
		if (rc)
			snprintf(why, len, "cannot start a thread to serve "
				 "page faults: %s", error_text(-rc));
	}
	if (rc) {
		guest_faults_free(f);
		return rc;
	}
	*faultsp = f;
	return 0;
}

void guest_faults_free(struct guest_faults *f)
{
	uint64_t one = 1;

	if (!f)
		return;
	__atomic_store_n(&f->stopping, true, __ATOMIC_RELEASE);
	if (f->stop_fd >= 0 && write(f->stop_fd, &one, sizeof(one)) < 0)
		abort();	/* can't fail: memory is corrupt */
	for (unsigned int i = 0; i < f->nr; i++) {
		if (f->shards[i].has_thread)
			pthread_join(f->shards[i].thread, NULL);
		if (f->shards[i].fd >= 0)
			close(f->shards[i].fd);
	}
	if (f->stop_fd >= 0)
		close(f->stop_fd);
	if (f->empty_fd >= 0)
		close(f->empty_fd);
	f->mem->has_faults = false;
	free(f->watched);
	free(f);
}

void guest_faults_get_stats(const struct guest_faults *f,
			    struct guest_faults_stats *stats)
{
	*stats = (struct guest_faults_stats){ 0 };
	for (unsigned int i = 0; i < f->nr; i++) {
		const struct faults_shard *s = &f->shards[i];

		stats->nr_missing += __atomic_load_n(&s->nr_missing,
						     __ATOMIC_RELAXED);
		stats->nr_write_protected +=
			__atomic_load_n(&s->nr_write_protected,
					__ATOMIC_RELAXED);
	}
}
