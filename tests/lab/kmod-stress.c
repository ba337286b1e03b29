// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmod-stress SECONDS: scans while everything that they use changes, for at
 * least that long.
 *
 *   a guest that writes some of its pages, two scanners (one taking, one
 *   looking), memory slots that come and go, dirty logging, huge pages that
 *   form and split, pages that are swapped out, VMs of other processes that
 *   are killed in a scan, and requests of random bytes.
 *
 * At the end the guest's memory must hold what the guest wrote.  The caller
 * checks for kernel messages: kvm-young.sh reads dmesg.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lab/kmod-guest.h"
#include "tests/tap.h"
#include "vmm/kmod/kvm-young-abi.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25	/* Linux 6.1 */
#endif

#define DATA_BYTES (96UL << 20)
#define NR_PAGES   (DATA_BYTES / GUEST_PAGE)
#define SLOT_BYTES (8UL << 20)
#define LIMIT_S	   600

static atomic_bool stop;

struct work {
	struct guest *g;
	uint32_t flags;
	uint64_t done, failed, young;
	int last_errno;
	pthread_t thread;
};

static int open_device(void)
{
	int fd = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", KVM_YOUNG_PATH);
	return fd;
}

static void *scanner(void *arg)
{
	static __thread uint64_t young[NR_PAGES / 64];
	struct work *w = arg;
	int fd = open_device();
	unsigned int seed = w->flags + 1;

	while (!stop) {
		uint64_t first = rand_r(&seed) % NR_PAGES;
		struct kvm_young_scan req = {
			.size = sizeof(req), .vm_fd = w->g->vm_fd,
			.flags = w->flags, .young = (uintptr_t)young,
		};

		/* The whole, or any part, odd ones too. */
		if (w->done % 4 == 0)
			first = 0;
		req.hva = (uintptr_t)w->g->data + first * GUEST_PAGE;
		req.nr_pages = NR_PAGES - first;
		if (w->done % 16 == 3)
			req.flags |= KVM_YOUNG_NOTIFIER;
		if (ioctl(fd, KVM_YOUNG_SCAN, &req)) {
			w->failed++;
			w->last_errno = errno;
		} else {
			w->done++;
			w->young += req.nr_young;
		}
		/* On two emulated CPUs the others need some, too. */
		usleep(1000);
	}
	close(fd);
	return NULL;
}

/* Dirty logging on and off: KVM splits its huge entries, and joins them. */
static void change_logging(struct work *w, bool on)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = GUEST_DATA_GPA,
		.memory_size = DATA_BYTES,
		.userspace_addr = (uintptr_t)w->g->data,
		.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0,
	};

	if (ioctl(w->g->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		w->failed++;
}

/* Slots of a second mapping and of the same addresses at another place. */
static void *slot_changer(void *arg)
{
	struct work *w = arg;
	void *other = mmap(NULL, SLOT_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (other == MAP_FAILED)
		err(1, "mmap");
	while (!stop) {
		bool alias = w->done & 1;
		struct kvm_userspace_memory_region region = {
			.slot = 5, .guest_phys_addr = 3UL << 30,
			.memory_size = SLOT_BYTES,
			.userspace_addr = (uintptr_t)(alias ?
				(void *)(w->g->data + GUEST_HUGE) : other),
		};

		if (ioctl(w->g->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
			w->failed++;
		usleep(500);
		if (w->done % 8 == 0)
			change_logging(w, w->done % 16 == 0);
		region.memory_size = 0;
		if (ioctl(w->g->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
			w->failed++;
		w->done++;
		usleep(2000);
	}
	munmap(other, SLOT_BYTES);
	return NULL;
}

static void *thp_changer(void *arg)
{
	struct work *w = arg;
	unsigned int seed = 3;

	while (!stop) {
		uint8_t *at = w->g->data +
			      rand_r(&seed) % (DATA_BYTES / GUEST_HUGE) *
				      GUEST_HUGE;

		/* Collapsing may fail (pages in swap): that is no fault. */
		madvise(at, GUEST_HUGE, MADV_HUGEPAGE);
		if (!madvise(at, GUEST_HUGE, MADV_COLLAPSE))
			w->done++;
		usleep(1000);
		/* A page out of its middle splits it. */
		madvise(at + 37 * GUEST_PAGE, GUEST_PAGE, MADV_PAGEOUT);
		usleep(1000);
	}
	return NULL;
}

static void *pager(void *arg)
{
	struct work *w = arg;
	unsigned int seed = 4;

	while (!stop) {
		uint64_t page = rand_r(&seed) % (NR_PAGES - 600);

		if (madvise(w->g->data + page * GUEST_PAGE,
			    (1 + rand_r(&seed) % 600) * GUEST_PAGE,
			    MADV_PAGEOUT))
			w->failed++;
		w->done++;
		usleep(3000);
	}
	return NULL;
}

/* A VM of a child that is killed while its memory is being scanned. */
static void one_dying_vm(int fd, struct work *w, unsigned int *seed)
{
	static uint64_t young[1024];
	uint64_t hello[2];
	int pipe_fds[2], pid_fd, vm_fd = -1;
	pid_t child;

	if (pipe(pipe_fds))
		err(1, "pipe");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		static uint32_t list[4096];
		struct guest g;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		guest_make(&g, 16UL << 20, *seed & 1);
		for (uint32_t i = 0; i < 4096; i++)
			list[i] = i;
		guest_set_list(&g, list, 4096, true);
		guest_start(&g);
		hello[0] = (uintptr_t)g.data;
		hello[1] = g.vm_fd;
		if (write(pipe_fds[1], hello, sizeof(hello)) != sizeof(hello))
			_exit(1);
		pause();
		_exit(0);
	}
	close(pipe_fds[1]);
	pid_fd = syscall(SYS_pidfd_open, child, 0);
	if (read(pipe_fds[0], hello, sizeof(hello)) == sizeof(hello))
		vm_fd = syscall(SYS_pidfd_getfd, pid_fd, (int)hello[1], 0);
	if (vm_fd < 0) {
		w->failed++;
		w->last_errno = errno;
	}
	for (int i = 0, n = rand_r(seed) % 40; i < n + 200 && vm_fd >= 0; i++) {
		struct kvm_young_scan req = {
			.size = sizeof(req), .vm_fd = vm_fd, .hva = hello[0],
			.flags = KVM_YOUNG_CLEAR | (i & 1 ? KVM_YOUNG_FLUSH : 0),
			.nr_pages = 4096, .young = (uintptr_t)young,
		};
		int rc = ioctl(fd, KVM_YOUNG_SCAN, &req);

		if (i == n)
			kill(child, SIGKILL);
		if (rc && errno == ESRCH && i > n) {
			w->young++;	/* VMs seen to be gone */
			break;
		}
		if (rc && (errno != ESRCH || i <= n)) {
			w->failed++;
			w->last_errno = errno;
			break;
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (vm_fd >= 0)
		close(vm_fd);
	close(pid_fd);
	close(pipe_fds[0]);
	w->done++;
}

static void killer(struct work *w, unsigned int seconds)
{
	struct timespec end, now;
	unsigned int seed = 7;
	int fd = open_device();

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		one_dying_vm(fd, w, &seed);
		seed++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	close(fd);
}

/*
 * Requests of random fields.  Pointers come from a few kinds of bad and good
 * ones, so that the module's own answers are tested, not our heap.
 */
static void *fuzzer(void *arg)
{
	struct work *w = arg;
	int fd = open_device();
	size_t len = 1 << 16;
	/* Bitmaps of a large range run past `good`: into nothing. */
	uint8_t *good = mmap(NULL, 3 * len, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *readonly = good + 2 * len;
	uint64_t pointers[] = {
		0, (uintptr_t)good, (uintptr_t)good + len - 64,
		(uintptr_t)readonly, 8, UINT64_C(0xffffffff81000000),
		UINT64_C(0xffff888000000000), UINT64_MAX - 7,
		UINT64_C(0x7ffffffff000), UINT64_C(0x8000000000000000),
	};
	int fds[] = { w->g->vm_fd, w->g->vm_fd, w->g->vcpu_fd, w->g->kvm_fd,
		      fd, -1, 1 << 20, 0 };
	unsigned int seed = 5;

	if (good == MAP_FAILED ||
	    mprotect(good, len, PROT_READ | PROT_WRITE) ||
	    mprotect(readonly, len, PROT_READ))
		err(1, "mmap");
	while (!stop) {
		uint64_t nrs[] = { 0, 1, 63, 512, 4096, 1 << 18,
				   UINT64_MAX >> (rand_r(&seed) % 64) };
		struct kvm_young_scan req = {
			.size = rand_r(&seed) % 32 ? sizeof(req) :
						     (unsigned)rand_r(&seed),
			.flags = rand_r(&seed) % 16 ? rand_r(&seed) % 16 :
						      rand_r(&seed),
			.vm_fd = rand_r(&seed) % 4 ? fds[0] :
						     fds[rand_r(&seed) % 8],
			.reserved = rand_r(&seed) % 32 == 0,
			.hva = rand_r(&seed) % 4 ?
				       (uintptr_t)w->g->data +
					       (uint64_t)(rand_r(&seed) % NR_PAGES) *
						       GUEST_PAGE :
				       pointers[rand_r(&seed) % 10],
			.nr_pages = nrs[rand_r(&seed) % 7],
			.young = pointers[rand_r(&seed) % (1 + seed % 10)],
			.huge = pointers[rand_r(&seed) % (1 + seed / 16 % 10)],
		};
		unsigned long cmd = rand_r(&seed) % 8 ? KVM_YOUNG_SCAN :
							(unsigned)rand_r(&seed);

		/* Counting alone over a huge range is legal and slow. */
		if (!req.young && !req.huge && req.nr_pages > (1 << 18))
			req.nr_pages = 1 << 18;
		if ((req.flags & KVM_YOUNG_NOTIFIER) && req.nr_pages > 4096)
			req.nr_pages = 4096;
		if (ioctl(fd, cmd, rand_r(&seed) % 16 ?
				   (uintptr_t)&req : pointers[rand_r(&seed) % 10]))
			w->failed++;
		w->done++;
		if (w->done % 16 == 0)
			usleep(1000);
	}
	munmap(good, 3 * len);
	close(fd);
	return NULL;
}

static void start(struct work *w, struct guest *g, void *(*fn)(void *))
{
	w->g = g;
	if (pthread_create(&w->thread, NULL, fn, w))
		errx(1, "pthread_create");
}

static uint64_t count_bad(const struct guest *g, uint64_t rounds_min)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < NR_PAGES; page++) {
		const uint64_t *at =
			(const uint64_t *)(g->data + page * GUEST_PAGE);
		bool written = page % 8 == page / 8 % 8;

		bad += (written ? at[0] < rounds_min : at[0] != 0) ||
		       at[1] != ((page * GUEST_PAGE) ^ 0x5bd1e995);
	}
	return bad;
}

int main(int argc, char **argv)
{
	static uint32_t list[NR_PAGES / 8];
	struct work taking = { .flags = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH };
	struct work looking = { .flags = 0 }, slots = { 0 }, thp = { 0 };
	struct work paging = { 0 }, fuzz = { 0 }, dying = { 0 };
	struct guest g;
	uint64_t rounds;

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_make(&g, DATA_BYTES, true);
	for (uint32_t i = 0; i < NR_PAGES / 8; i++)
		list[i] = i * 8 + i % 8;
	guest_set_list(&g, list, NR_PAGES / 8, true);
	guest_start(&g);
	guest_wait_rounds(&g, 1);
	start(&taking, &g, scanner);
	start(&looking, &g, scanner);
	start(&slots, &g, slot_changer);
	start(&thp, &g, thp_changer);
	start(&paging, &g, pager);
	start(&fuzz, &g, fuzzer);
	killer(&dying, argc > 1 ? atoi(argv[1]) : 10);
	/* A busy machine comes to little: until each has done its part. */
	for (int i = 0; i < LIMIT_S; i++) {
		if (guest_rounds(&g) > 1 && taking.young && looking.young &&
		    slots.done && thp.done && paging.done && dying.young &&
		    fuzz.failed && fuzz.done > fuzz.failed)
			break;
		killer(&dying, 1);
	}
	rounds = guest_rounds(&g);
	stop = true;
	pthread_join(taking.thread, NULL);
	pthread_join(looking.thread, NULL);
	pthread_join(slots.thread, NULL);
	pthread_join(thp.thread, NULL);
	pthread_join(paging.thread, NULL);
	pthread_join(fuzz.thread, NULL);
	/* The guest is alive and goes on. */
	guest_wait_rounds(&g, 1);
	guest_stop(&g);

	printf("# %" PRIu64 " + %" PRIu64 " scans, %" PRIu64 " slot changes, %"
	       PRIu64 " collapses, %" PRIu64 " page-outs, %" PRIu64
	       " VMs killed (%" PRIu64 " seen gone), %" PRIu64
	       " random requests (%" PRIu64 " refused), %" PRIu64 " rounds\n",
	       taking.done, looking.done, slots.done, thp.done, paging.done,
	       dying.done, dying.young, fuzz.done, fuzz.failed, rounds);
	ok(rounds > 1, "the guest went on");
	ok(taking.done && looking.done, "both scanners scanned");
	ok(taking.young && looking.young, "and saw young pages");
	is_int(taking.failed + looking.failed, 0, "no scan failed");
	ok(slots.done && !slots.failed, "slots came and went");
	ok(thp.done > 0, "huge pages formed");
	ok(paging.done && !paging.failed, "pages went to swap");
	ok(dying.done && dying.young, "VMs died under the scans");
	is_int(dying.failed, 0, "and only ESRCH said so");
	ok(fuzz.done > fuzz.failed && fuzz.failed,
	   "random requests were refused or served");
	is_int(count_bad(&g, rounds), 0, "the guest's memory holds what it wrote");
	guest_free(&g);
	return tap_done();
}
