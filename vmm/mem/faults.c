// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/mem/faults.h"
#include "vmm/mem/guest_mem-internal.h"

#define SHARD_PAGES (UINT64_C(1) << 14)		/* 64 MiB */
#define WATCH_PAGES UINT64_C(512)
#define BATCH	    16
#define AGAIN_MS    1000

#ifndef UFFDIO_POISON		/* Linux 6.6; headers of Debian 12 are older */
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define _UFFDIO_POISON	    0x08
#define UFFDIO_POISON	    _IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#define UFFD_FEATURE_POISON (1 << 14)
#endif

struct shard {
	struct guest_faults *faults;
	unsigned int index;
	int fd;			/* owned */
	pthread_t thread;
	bool has_thread, again;
	uint64_t nr_missing, nr_write_protected;	/* atomic */
};

struct guest_faults {
	struct guest_mem *mem;		/* not owned */
	const struct guest_faults_ops *ops;
	void *arg;
	int stop_fd;			/* owned; an eventfd */
	uint8_t *watched;		/* owned; by gfn / WATCH_PAGES; atomic */
	unsigned int nr;
	struct shard shards[];
};

bool guest_mem_has_faults(const struct guest_mem *mem)
{
	return mem->no_fault_around;
}

unsigned int guest_faults_nr_shards(const struct guest_faults *f)
{
	return f->nr;
}

unsigned int guest_faults_shard(const struct guest_faults *f, gfn_t gfn)
{
	return gfn.v / SHARD_PAGES % f->nr;
}

gfn_t guest_faults_shard_end(gfn_t gfn)
{
	return GFN((gfn.v / SHARD_PAGES + 1) * SHARD_PAGES);
}

/* Where the host has a range that is in RAM, all of it. */
static bool host_range(const struct guest_faults *f, struct gfn_range r,
		       struct uffdio_range *out)
{
	uint64_t start, last;

	if (!r.nr || !guest_mem_gfn_to_hva(f->mem, r.start, &start) ||
	    !guest_mem_gfn_to_hva(f->mem, GFN(r.start.v + r.nr - 1), &last) ||
	    last - start != (r.nr - 1) << VMM_PAGE_SHIFT)
		return false;
	out->start = start;
	out->len = r.nr << VMM_PAGE_SHIFT;
	return true;
}

static int fd_of(const struct guest_faults *f, gfn_t gfn)
{
	return f->shards[guest_faults_shard(f, gfn)].fd;
}

/* Faults of the kernel too: KVM's are such. */
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

static int open_shard(struct shard *s, bool is_memfd, char *why, size_t len)
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
	} else if (s->fd < 0) {
		snprintf(why, len, "userfaultfd: %s; the kernel needs "
			 "CONFIG_USERFAULTFD", strerror(-s->fd));
	} else if (ioctl(s->fd, UFFDIO_API, &api)) {
		snprintf(why, len, "this kernel's userfaultfd protects no "
			 "writes to %s memory: Linux %s or later is needed",
			 is_memfd ? "memfd" : "anonymous",
			 is_memfd ? "5.19" : "5.7");
		return -EOPNOTSUPP;
	}
	return s->fd < 0 ? s->fd : 0;
}

static int register_range(const struct guest_faults *f, struct gfn_range range,
			  uint64_t mode)
{
	struct uffdio_register reg = { .mode = mode };

	if (!host_range(f, range, &reg.range))
		return -EFAULT;
	return ioctl(fd_of(f, range.start), UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int stop_fault_around(struct guest_faults *f)
{
	int rc = 0;

	for (unsigned int i = 0; i < f->mem->nr_slots; i++) {
		const struct guest_memslot *s = &f->mem->slots[i];
		uint64_t g = s->base.v, end = g + s->nr_pages, next;

		for (; !rc && g < end; g = next) {
			next = min_of(end, guest_faults_shard_end(GFN(g)).v);
			rc = register_range(f, (struct gfn_range){ GFN(g),
					    next - g },
					    UFFDIO_REGISTER_MODE_WP);
		}
	}
	if (!rc)
		f->mem->no_fault_around = true;
	return rc;
}

/* All of a 2 MiB block of RAM; slots are multiples of it. */
int guest_faults_watch(struct guest_faults *f, struct gfn_range range)
{
	uint64_t first = range.start.v / WATCH_PAGES;
	uint64_t last = (range.start.v + range.nr - 1) / WATCH_PAGES;

	for (uint64_t b = first; range.nr && b <= last; b++) {
		const struct gfn_range block = { GFN(b * WATCH_PAGES),
						 WATCH_PAGES };
		int rc;

		if (__atomic_load_n(&f->watched[b], __ATOMIC_ACQUIRE))
			continue;
		rc = register_range(f, block, UFFDIO_REGISTER_MODE_MISSING |
					      UFFDIO_REGISTER_MODE_WP);
		if (rc)
			return rc;
		__atomic_store_n(&f->watched[b], 1, __ATOMIC_RELEASE);
	}
	return 0;
}

int guest_faults_protect(struct guest_faults *f, struct gfn_range range,
			 bool on)
{
	struct uffdio_writeprotect wp = {
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (!host_range(f, range, &wp.range))
		return -EFAULT;
	/* EAGAIN: the address space is changing (a fork, an mremap). */
	while (ioctl(fd_of(f, range.start), UFFDIO_WRITEPROTECT, &wp))
		if (errno != EAGAIN)
			return -errno;
	return 0;
}

int guest_faults_copy(struct guest_faults *f, gfn_t gfn, const void *page)
{
	struct uffdio_copy copy = { .src = (uintptr_t)page };
	struct uffdio_range dst;

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &dst))
		return -EFAULT;
	copy.dst = dst.start;
	copy.len = dst.len;
	while (ioctl(fd_of(f, gfn), UFFDIO_COPY, &copy)) {
		if (errno != EAGAIN)
			return -errno;
		copy.copy = 0;
	}
	return 0;
}

int guest_faults_zero(struct guest_faults *f, gfn_t gfn)
{
	struct uffdio_zeropage zero = { 0 };

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &zero.range))
		return -EFAULT;
	while (ioctl(fd_of(f, gfn), UFFDIO_ZEROPAGE, &zero)) {
		if (errno != EAGAIN)
			return -errno;
		zero.zeropage = 0;
	}
	return 0;
}

int guest_faults_poison(struct guest_faults *f, gfn_t gfn)
{
	struct uffdio_poison poison = { .mode = 0 };

	if (!host_range(f, (struct gfn_range){ gfn, 1 }, &poison.range))
		return -EFAULT;
	if (!ioctl(fd_of(f, gfn), UFFDIO_POISON, &poison))
		return 0;
	return errno == EINVAL || errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

void guest_faults_wake(struct guest_faults *f, gfn_t gfn)
{
	struct uffdio_range range;

	if (host_range(f, (struct gfn_range){ gfn, 1 }, &range))
		ioctl(fd_of(f, gfn), UFFDIO_WAKE, &range);
}

void guest_faults_again(struct guest_faults *f, unsigned int shard)
{
	f->shards[shard].again = true;
}

static void serve(struct shard *s, const struct uffd_msg *msg)
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

static void *shard_thread(void *arg)
{
	struct shard *s = arg;
	struct pollfd fds[] = {
		{ .fd = s->fd, .events = POLLIN },
		{ .fd = s->faults->stop_fd, .events = POLLIN },
	};
	struct uffd_msg msgs[BATCH];

	while (!fds[1].revents) {
		ssize_t n;

		if (!poll(fds, 2, s->again ? AGAIN_MS : -1) && s->again) {
			s->again = false;
			s->faults->ops->again(s->faults->arg, s->index);
		}
		n = read(s->fd, msgs, sizeof(msgs));
		for (ssize_t i = 0; i < n / (ssize_t)sizeof(*msgs); i++)
			serve(s, &msgs[i]);
	}
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct shard *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&s->thread, NULL, shard_thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->has_thread = !rc;
	if (!rc)
		pthread_setname_np(s->thread, "faults");
	return rc;
}

int guest_faults_new(struct guest_faults **faultsp, struct guest_mem *mem,
		     unsigned int nr_shards, const struct guest_faults_ops *ops,
		     void *arg, char *why, size_t len)
{
	bool is_memfd = guest_mem_backing(mem) == GUEST_MEM_MEMFD;
	struct guest_faults *f = calloc(1, sizeof(*f) +
					nr_shards * sizeof(f->shards[0]));
	int rc = 0;

	snprintf(why, len, "no memory to serve page faults");
	if (!f)
		return -ENOMEM;
	f->mem = mem;
	f->ops = ops;
	f->arg = arg;
	f->nr = nr_shards;
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->watched = calloc(guest_mem_nr_frames(mem) / WATCH_PAGES + 1, 1);
	for (unsigned int i = 0; i < nr_shards; i++)
		f->shards[i] = (struct shard){ .faults = f, .index = i,
					       .fd = -1 };
	if (f->stop_fd < 0 || !f->watched)
		rc = -ENOMEM;
	for (unsigned int i = 0; !rc && i < nr_shards; i++)
		rc = open_shard(&f->shards[i], is_memfd, why, len);
	if (!rc && is_memfd) {
		rc = stop_fault_around(f);
		if (rc)
			snprintf(why, len, "userfaultfd: guest memory can't be "
				 "registered: %s", strerror(-rc));
	}
	for (unsigned int i = 0; !rc && i < nr_shards; i++)
		rc = start_thread(&f->shards[i]);
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
	if (f->stop_fd >= 0 && write(f->stop_fd, &one, sizeof(one)) < 0)
		abort();	/* an eventfd that takes no 1: memory is corrupt */
	for (unsigned int i = 0; i < f->nr; i++) {
		if (f->shards[i].has_thread)
			pthread_join(f->shards[i].thread, NULL);
		if (f->shards[i].fd >= 0)
			close(f->shards[i].fd);
	}
	if (f->stop_fd >= 0)
		close(f->stop_fd);
	free(f->watched);
	free(f);
}

void guest_faults_get_stats(const struct guest_faults *f,
			    struct guest_faults_stats *stats)
{
	*stats = (struct guest_faults_stats){ 0 };
	for (unsigned int i = 0; i < f->nr; i++) {
		const struct shard *s = &f->shards[i];

		stats->nr_missing += __atomic_load_n(&s->nr_missing,
						     __ATOMIC_RELAXED);
		stats->nr_write_protected +=
			__atomic_load_n(&s->nr_write_protected,
					__ATOMIC_RELAXED);
	}
}
