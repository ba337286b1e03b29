// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that the device returns with other contents than were written: touching
 * one raises a memory error, on every backing, with or without a write-protect
 * marker in its place; no thread waits for it, and nothing else is affected.
 * The file behind the store is really overwritten.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/unit/sink-fixture.h"
#include "vmm/util/bitmap.h"

#define NR_PAGES 600u	/* more than memory has room for: the first are far */

static struct world w;
static char dir[] = "/tmp/vmm-sink-lost-XXXXXX";

/* While it is set, pages can't be mapped in place of others. */
static bool mmap_fails, reads_fail;	/* atomic */

void *__real_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);
int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page);

static void set(bool *flag, bool on)
{
	__atomic_store_n(flag, on, __ATOMIC_RELEASE);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	if (flags & MAP_FIXED && is_done(&mmap_fails)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(at, len, prot, flags, fd, offset);
}

int __wrap_store_get(struct store *s, struct page_coder *c, uint64_t key,
		     void *page)
{
	return is_done(&reads_fail) ? -EIO : __real_store_get(s, c, key, page);
}

/* Who touches a page, and what became of that. */
struct victim {
	volatile uint64_t *word;
	bool writes, done;	/* done: atomic */
	int code;		/* of its SIGBUS, or 0: none */
	void *address;
	pthread_t thread;
};

static __thread sigjmp_buf escape;
static __thread siginfo_t bus_info;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	bus_info = *info;
	siglongjmp(escape, 1);
}

AS_A_GUEST static void *suffer(void *arg)
{
	struct victim *v = arg;

	if (sigsetjmp(escape, 1)) {
		v->code = bus_info.si_code;
		v->address = bus_info.si_addr;
	} else if (v->writes) {
		*v->word = 1;
	} else {
		(void)*v->word;
	}
	__atomic_store_n(&v->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool victim_is_done(void *arg)
{
	return is_done(&((struct victim *)arg)->done);
}

static void start_victim(struct victim *v, uint64_t gfn, bool writes)
{
	*v = (struct victim){ .word = words_at(&w, gfn), .writes = writes };
	start_thread(&v->thread, suffer, v);
}

/* Whether it has a memory error at its page. */
static bool has_error(struct victim *v)
{
	if (!wait_until(victim_is_done, v))
		tap_bail("a damaged page is waited for, for ever");
	pthread_join(v->thread, NULL);
	return v->code == BUS_ADRERR &&
	       ((uintptr_t)v->address & ~(uintptr_t)(VMM_PAGE_SIZE - 1)) ==
	       (uintptr_t)v->word;
}

/* The file has no name any more, but a descriptor of ours. */
static void overwrite_file(void)
{
	static const uint8_t bad[MIB] = { 1, 2, 3 };
	char link[64], path[128];
	ssize_t n;

	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		if (n < 0 || strncmp(path, dir, strlen(dir)))
			continue;
		/* Anew: the store's own may want what is aligned. */
		fd = open(link, O_WRONLY | O_CLOEXEC);
		for (unsigned int i = 0; i < 8; i++)
			if (pwrite(fd, bad, sizeof(bad), i * MIB) != MIB)
				tap_bail("the file can't be overwritten");
		close(fd);
		return;
	}
	tap_bail("the store has no file");
}

/* 600 pages are evicted, and the first of them damaged. */
static void open_damaged(enum guest_mem_backing backing, bool markers)
{
	char options[128];

	/* A prefetch takes no longer than the timeout, on a slow machine too. */
	snprintf(options, sizeof(options), "codec=none,mem=1M,shards=1,size=8M,"
		 "timeout=60s,file=%s/far", dir);
	world_open(&w, 8 * MIB, backing, options);
	for (uint64_t g = 0; g < NR_PAGES; g++)
		set_number(&w, g, g + 1);
	if (world_evict(&w, 0, NR_PAGES) != NR_PAGES)
		tap_bail("not all are evicted");
	for (uint64_t g = 0; g < NR_PAGES; g++)
		if (guest_faults_protect(store_sink(&w)->faults,
					 (struct gfn_range){ GFN(g), 1 },
					 markers))
			tap_bail("no marker can be set");
	overwrite_file();
}

static void check_residency(uint64_t gfn, const char *name)
{
	uint64_t in[BITMAP_WORDS(2048)], away[BITMAP_WORDS(2048)];

	if (guest_mem_residency(w.mem, (struct gfn_range){ GFN(gfn), 1 }, in,
				away))
		tap_bail("no residency");
	ok(!bitmap_test(in, gfn) && !bitmap_test(away, gfn),
	   "%s: it is neither resident nor elsewhere", name);
}

/* Who must not touch it by mistake: the walk of the guest's page tables. */
static int rc_of_hold(uint64_t gfn)
{
	void *page;
	int rc = guest_mem_pin_page(w.mem, GFN(gfn), &page);

	if (!rc)
		guest_mem_unpin_page(w.mem, GFN(gfn));
	return rc;
}

/* Given back, it is a page as any other. */
static void check_renewed(uint64_t gfn, const char *name)
{
	is_int(world_discard(&w, gfn - 1, 3), 0, "it is given back with others");
	ok(has_number(&w, gfn, 0), "%s: then it is zeros", name);
	for (uint64_t g = gfn - 1; g < gfn + 2; g++)
		set_number(&w, g, 0x99);
	is_int(world_evict(&w, gfn - 1, 3), 3, "it is evicted with others");
	ok(has_number(&w, gfn, 0x99) && has_number(&w, gfn - 1, 0x99) &&
	   has_number(&w, gfn + 1, 0x99), "%s: and comes back", name);
}

static void test_touch(enum guest_mem_backing backing, bool markers,
		       const char *name)
{
	struct reclaim_sink_stats s;
	struct victim v[3];
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	unsigned int wrong = 0;

	open_damaged(backing, markers);
	for (unsigned int i = 0; i < 3; i++)
		start_victim(&v[i], 10 + i / 2, i == 1);
	ok(has_error(&v[0]), "%s: to read it is a memory error", name);
	ok(has_error(&v[1]), "%s: and to write to it", name);
	ok(has_error(&v[2]), "%s: and to read another", name);
	ok(read(zero, (void *)(uintptr_t)words_at(&w, 12), 8) < 0 &&
	   errno == EFAULT, "%s: EFAULT for a system call", name);
	close(zero);
	s = world_stats(&w);
	ok(s.nr_poisoned == 3 && !s.nr_waiting && s.store.nr_damaged == 3 &&
	   strstr(s.last_error, "damaged"), "%s: all are counted: %s", name,
	   s.last_error);
	is_int(s.store.nr_pages, NR_PAGES - 3, "and are not stored any more");
	check_residency(10, name);
	is_int(rc_of_hold(11), -EAGAIN, "who asks before is told");
	check_renewed(11, name);
	is_int(rc_of_hold(11), 0, "who asks may touch it again");
	/* The last of them are in memory, and were not damaged. */
	for (uint64_t g = NR_PAGES - 100; g < NR_PAGES; g++)
		wrong += !has_number(&w, g, g + 1);
	is_int(wrong, 0, "others are as they were");
	world_close(&w);
}

static bool one_waits(void *arg)
{
	return world_stats(&w).nr_waiting == 1;
}

/* Damage that shows only when the page is tried again. */
static void test_later(enum guest_mem_backing backing, const char *name)
{
	struct victim v;

	open_damaged(backing, true);
	set(&reads_fail, true);
	start_victim(&v, 20, false);
	ok(wait_until(one_waits, NULL) && !is_done(&v.done),
	   "%s: a page can't be read", name);
	set(&reads_fail, false);
	ok(has_error(&v) && !world_stats(&w).nr_waiting,
	   "%s: then it is read, and damaged: a memory error", name);

	set(&mmap_fails, true);
	start_victim(&v, 30, true);
	ok(wait_until(one_waits, NULL) && !is_done(&v.done),
	   "%s: no mapping can be had: who touches a damaged page waits",
	   name);
	is_int(world_stats(&w).nr_poisoned, 1, "it is not lost yet");
	set(&mmap_fails, false);
	ok(has_error(&v) && !world_stats(&w).nr_waiting,
	   "%s: then it can be had: a memory error", name);
	world_close(&w);
}

/* The engine asks for pages back before they are touched. */
static void test_prefetch(enum guest_mem_backing backing, const char *name)
{
	struct victim v;

	open_damaged(backing, true);
	is_int(world_prefetch(&w, 40, NR_PAGES - 40), -EBADMSG,
	       "damaged pages are asked for");
	ok(!guest_mem_is_evicted(w.mem, GFN(NR_PAGES - 1)) &&
	   has_number(&w, NR_PAGES - 1, NR_PAGES),
	   "%s: the others come back", name);
	start_victim(&v, 40, false);
	ok(has_error(&v), "%s: to touch a damaged one is a memory error", name);
	/* With one of them in the middle. */
	if (world_discard(&w, 39, 1))
		tap_bail("not given back");
	set_number(&w, 39, 0x39);
	is_int(world_discard(&w, 41, 1), 0, "one of them is given back");
	set_number(&w, 41, 0x41);
	is_int(world_evict(&w, 39, 3), 2, "the pages around one are evicted");
	ok(has_number(&w, 39, 0x39) && has_number(&w, 41, 0x41),
	   "%s: and come back", name);
	world_close(&w);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_bus,
				.sa_flags = SA_SIGINFO };

	world_require();
	if (!mkdtemp(dir))
		tap_bail("no directory");
	sigaction(SIGBUS, &sa, NULL);
	for (size_t i = 0; i < NR_BACKINGS; i++) {
		char name[64];

		for (int markers = 0; markers < 2; markers++) {
			snprintf(name, sizeof(name), "%s, %s", backings[i].name,
				 markers ? "protected" : "not protected");
			test_touch(backings[i].backing, markers, name);
		}
		test_later(backings[i].backing, backings[i].name);
		test_prefetch(backings[i].backing, backings[i].name);
	}
	rmdir(dir);
	return tap_done();
}
