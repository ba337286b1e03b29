// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sources that detect accesses by page faults, soft and rwp, with our own
 * accesses to guest memory: what was touched is young, whatever the budget;
 * what was not is idle, once it was its turn.
 *
 *   fault-sources [--require]
 *
 * With --require a kernel without the read-write protection that rwp needs is a
 * failure: for the lab, where the kernel has it.
 */
#include "config.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "tests/tap.h"
#include "vmm/access/sources.h"
#include "vmm/access/userfaultfd-rwp.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR    8192u		/* frames: 32 MiB, 16 chunks */
#define PAGE  4096
#define WORDS BITMAP_WORDS(NR)

static const struct gfn_range all = { GFN(0), NR };
static struct guest_mem *mem;
static uint64_t young[WORDS], touched[WORDS];

static volatile uint8_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

/* Reads, or writes, one page in `step`. */
static void touch(uint64_t first, uint64_t step, bool write)
{
	memset(touched, 0, sizeof(touched));
	for (uint64_t g = first; g < NR; g += step) {
		if (write)
			page(g)[8] = g;
		else
			(void)page(g)[8];
		bitmap_set(touched, g);
	}
}

static const char *source;		/* the name of the one that is tested */

static struct access_source *open_source(const char *options)
{
	const struct access_target target = { .mem = mem, .vm_fd = -1 };
	struct access_source *src = NULL;
	char name[64], why[512];

	snprintf(name, sizeof(name), "%s%s", source, options);
	if (access_open(&src, name, &target, why, sizeof(why)))
		tap_bail("%s: %s", name, why);
	return src;
}

static bool harvest(struct access_source *src)
{
	memset(young, 0xff, sizeof(young));
	return !src->ops->harvest(src, all, young);
}

static bool exact(void)
{
	return !memcmp(young, touched, sizeof(young));
}

/* All that was touched is young. */
static bool covers(void)
{
	for (size_t w = 0; w < WORDS; w++)
		if (touched[w] & ~young[w])
			return false;
	return true;
}

/* What is young and not said to be assumed was touched. */
static bool observed_is_true(struct access_source *src, uint64_t *nr_assumed)
{
	uint64_t assumed[WORDS];

	memset(assumed, 0xff, sizeof(assumed));
	src->ops->assumed(src, all, assumed);
	*nr_assumed = bitmap_count(assumed, 0, NR);
	for (size_t w = 0; w < WORDS; w++)
		if (young[w] & ~assumed[w] & ~touched[w])
			return false;
	return true;
}

static void test_exact(void)
{
	struct access_source *src;
	uint64_t nr_assumed;

	/* A read of anonymous memory that was never written maps no page. */
	touch(0, 1, true);
	src = open_source(",faults=1000000000");
	is_int(src->ops->arm(src, all), 0, "armed");
	touch(3, 7, false);
	ok(harvest(src), "harvested");
	if (src->granule_pages == 1)
		ok(exact(), "what was read is young, its neighbours are not");
	else
		ok(covers(), "what was read is young (with neighbours: this "
		   "kernel can't be kept from mapping around faults)");
	touch(5, 11, true);
	ok(harvest(src) && exact(), "then what was written");
	touch(NR, 1, true);
	ok(harvest(src) && exact(), "then nothing");
	ok(harvest(src) && exact(), "and nothing again");
	ok(observed_is_true(src, &nr_assumed) && !nr_assumed,
	   "and none of it is assumed");
	access_close(src);
}

static void test_parts(void)
{
	struct access_source *src = open_source(",faults=1000000000");
	const struct gfn_range part = { GFN(700), 100 };

	src->ops->arm(src, all);
	touch(0, 1, true);
	memset(young, 0, sizeof(young));
	bitmap_set(young, 5);
	is_int(src->ops->harvest(src, part, young), 0, "a part is harvested");
	is_int(bitmap_count(young, 700, 800), 100, "... and young");
	ok(bitmap_test(young, 5) && bitmap_count(young, 0, NR) == 101,
	   "... and the bits of others stay");
	is_int(src->ops->arm(src, part), 0, "a part is armed");
	harvest(src);
	is_int(bitmap_count(young, 700, 800), 0, "... and is idle then");
	is_int(bitmap_count(young, 0, NR), NR - 100, "the rest is not");
	access_close(src);
}

/* A budget of nearly nothing: never idle by mistake. */
static void test_budget(void)
{
	struct access_source *src = open_source(",faults=1");
	const struct timespec more = { .tv_nsec = 20000000 };
	unsigned int good = 0, observed = 0, rounds = 200, n;
	uint64_t nr, nr_assumed = 0;
	bool idle = false;

	touch(0, 1, true);
	ok(harvest(src) && exact(), "mapped pages are young before their turn");
	srand(1);
	for (unsigned int i = 0; i < rounds; i++) {
		touch(rand() % 50, 1 + rand() % 100, rand() % 2);
		good += harvest(src) && covers();
		observed += observed_is_true(src, &nr);
		nr_assumed += nr;
	}
	is_int(good, rounds, "each touched page was young in its window");
	is_int(observed, rounds, "the others were said to be assumed");
	ok(nr_assumed, "and were some");
	access_close(src);

	/* 128 faults a chunk are expected, 20 ms earn 200: a turn at least. */
	src = open_source(",faults=10000");
	touch(0, 1, true);
	harvest(src);
	for (n = 0; n < 1000 && !idle; n++) {
		nanosleep(&more, NULL);
		memset(touched, 0, sizeof(touched));
		idle = harvest(src) && exact();
	}
	ok(idle, "everything has its turn and is idle in the end");
	access_close(src);
}

static void test_stop(void)
{
	struct access_source *src = open_source(",faults=1000000000");
	atomic_bool stopping = true;

	touch(0, 1, true);
	src->stopping = &stopping;
	is_int(src->ops->harvest(src, all, young), -ECANCELED,
	       "who is to stop does not harvest");
	stopping = false;
	ok(harvest(src) && exact(), "... and nothing is lost by it");
	access_close(src);
}

/* Contents survive all of it. */
static void test_contents(void)
{
	struct access_source *src = open_source("");
	uint64_t wrong = 0;

	for (uint64_t g = 0; g < NR; g++)
		memset((void *)page(g), (int)(g * 31 >> 3), PAGE);
	for (int i = 0; i < 3; i++) {
		src->ops->arm(src, all);
		harvest(src);
	}
	for (uint64_t g = 0; g < NR; g++)
		for (int i = 0; i < PAGE; i++)
			wrong += page(g)[i] != (uint8_t)(g * 31 >> 3);
	is_int(wrong, 0, "no byte changed");
	access_close(src);
}

#define SOME 4096u		/* frames that are sent to swap */

static uint64_t nr_swapped(void)
{
	uint64_t resident[WORDS], swapped[WORDS];

	if (guest_mem_residency(mem, all, resident, swapped))
		return 0;
	return bitmap_count(swapped, 0, SOME);
}

/*
 * What was idle when it went to swap is idle until it is touched; then it is
 * young, and so is what comes for the first time.
 */
static void test_swap(void)
{
	const struct gfn_range some = { GFN(0), SOME };
	struct reclaim_result res = { 0 };
	struct reclaim_sink *sink;
	struct access_source *src;
	uint64_t gone, wrong = 0;
	char why[512];

	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why))) {
		ok(0, "the swap sink opens: %s", why);
		return;
	}

	for (uint64_t g = 0; g < NR; g++)
		memset((void *)page(g), (int)(g * 7 >> 2), PAGE);
	src = open_source(",faults=1000000000");
	src->ops->arm(src, all);
	harvest(src);
	/* Pages that other CPUs have not put on their lists yet stay at first. */
	for (int i = 0; i < 100 && nr_swapped() < SOME / 2; i++)
		sink->ops->evict(sink, &some, 1, &res);
	gone = nr_swapped();
	ok(gone >= SOME / 2, "%llu of %u frames are in swap",
	   (unsigned long long)gone, SOME);
	/* To take a page the sink may have to map it. */
	if (!strcmp(source, "soft"))
		harvest(src);
	touch(NR, 1, false);
	ok(harvest(src) && exact(), "swapped out: idle");
	touch(3, 5, false);
	ok(harvest(src) && covers(), "touched and back: young");
	touch(NR, 1, false);
	ok(harvest(src) && exact(), "left alone: idle again");
	for (uint64_t g = 0; g < NR; g++)
		for (int i = 0; i < PAGE; i += 64)
			wrong += page(g)[i] != (uint8_t)(g * 7 >> 2);
	is_int(wrong, 0, "no byte changed");
	ok(!guest_mem_discard(mem, (struct gfn_range){ GFN(64), 64 }),
	   "some are discarded");
	touch(NR, 1, false);
	harvest(src);
	ok(harvest(src) && exact(), "... and are idle");
	touch(64, NR, true);
	ok(harvest(src) && covers(), "... until one is touched");
	access_close(src);
	sink->ops->close(sink);
}

static void refused(const char *name, int err, const char *text)
{
	const struct access_target target = { .mem = mem, .vm_fd = -1 };
	struct access_source *src;
	char why[512];

	ok(access_open(&src, name, &target, why, sizeof(why)) == err,
	   "%s is refused", name);
	ok(strstr(why, text), "... saying \"%s\": %s", text, why);
}

static void new_memory(enum guest_mem_backing backing)
{
	if (guest_mem_new(&mem, NR * PAGE, backing))
		tap_bail("no memory");
}

static void test_source(const char *name, enum guest_mem_backing backing,
			const char *text)
{
	printf("# %s, %s\n", name, text);
	source = name;
	new_memory(backing);
	test_exact();
	test_parts();
	test_budget();
	test_stop();
	test_contents();
	test_swap();
	guest_mem_free(mem);
}

static void test_refusals(void)
{
	new_memory(GUEST_MEM_MEMFD);
	refused("soft,faults=0", -EINVAL, "faults per second");
	refused("soft,faults=-5", -EINVAL, "faults per second");
	refused("soft,faults=", -EINVAL, "faults per second");
	refused("soft,faults=99999999999999999999", -EINVAL,
		"faults per second");
	refused("soft,speed=1", -EINVAL,
		"unknown key 'speed': expected faults");
	refused("damon,faults=1", -EINVAL, "no options");
	refused("sof", -EINVAL,
		"unknown access source 'sof': did you mean 'soft'?");
	guest_mem_free(mem);
	new_memory(GUEST_MEM_ANON);
	refused("soft", -EOPNOTSUPP, "--mem-backing memfd");
	is_int(guest_mem_unmap(mem, all), -EINVAL,
	       "anonymous memory is never unmapped");
	guest_mem_free(mem);
}

static bool rwp_serves(bool require)
{
	struct access_target target = { .vm_fd = -1 };
	char why[512] = "";
	int rc;

	new_memory(GUEST_MEM_ANON);
	target.mem = mem;
	rc = access_source_rwp.probe(&target, why, sizeof(why));
	if (rc && require)
		tap_bail("rwp: %s", why);
	if (rc) {
		ok(rc == -EOPNOTSUPP && strstr(why, "Linux 7.3"),
		   "without the kernel's support rwp says so: %s", why);
		refused("rwp", -EOPNOTSUPP, "Linux 7.3");
		tap_skip("rwp", why);
	}
	guest_mem_free(mem);
	return !rc;
}

/* For this thread, each request to protect memory fails with EAGAIN. */
static int refuse_protection(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			 (uint32_t)UFFDIO_RWPROTECT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {
		.len = sizeof(code) / sizeof(*code), .filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -errno : 0;
}

static void *arm_refused(void *arg)
{
	struct access_source *src = arg;

	is_int(refuse_protection(), 0, "the kernel refuses to protect memory");
	is_int(src->ops->arm(src, all), -EAGAIN, "... which is an error in the end");
	return NULL;
}

/* What is refused for ever must not hold the engine for ever. */
static void test_refused_for_ever(void)
{
	struct access_source *src;
	pthread_t thread;

	new_memory(GUEST_MEM_ANON);
	source = "rwp";
	src = open_source("");
	if (pthread_create(&thread, NULL, arm_refused, src))
		tap_bail("no thread");
	pthread_join(thread, NULL);
	access_close(src);
	guest_mem_free(mem);
}

/* What rwp has to do with the store. */
static void test_store(void)
{
	struct reclaim_sink *sink;
	char why[512];

	new_memory(GUEST_MEM_ANON);
	if (sink_store.open(&sink, mem, NULL, why, sizeof(why)))
		tap_bail("store: %s", why);
	refused("rwp", -EBUSY, "--sink other than store");
	sink->ops->close(sink);
	source = "rwp";
	access_close(open_source(""));
	ok(1, "with the store closed rwp can be opened");
	guest_mem_free(mem);
}

int main(int argc, char **argv)
{
	bool require = argc > 1 && !strcmp(argv[1], "--require");

	test_source("soft", GUEST_MEM_MEMFD, "memfd");
	test_refusals();
	if (rwp_serves(require)) {
		test_source("rwp", GUEST_MEM_ANON, "anonymous");
		test_source("rwp", GUEST_MEM_MEMFD, "memfd");
		new_memory(GUEST_MEM_ANON);
		refused("rwp,faults=0", -EINVAL, "faults per second");
		refused("rwp,speed=1", -EINVAL,
			"unknown key 'speed': expected faults");
		guest_mem_free(mem);
		test_refused_for_ever();
		test_store();
	}
	return tap_done();
}
