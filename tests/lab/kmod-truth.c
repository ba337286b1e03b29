// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Are the results of /dev/kvm-young correct?  A guest touches a known, random
 * set of pages; a scan must report these and no other.  The module flushes the
 * TLBs, so each touch after an arming scan sets the bit: 100 % is required.
 * The control: with the guest stopped the same scan must find nothing.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/lab/kmod-guest.h"
#include "tests/tap.h"
#include "vmm/kmod/kvm-young-abi.h"
#include "vmm/util/bitmap.h"

#define MAX_BYTES  (128UL << 20)
#define MIN_BYTES  (16UL << 20)	/* more than the odd range below */
#define MAX_PAGES  (MAX_BYTES / GUEST_PAGE)
#define NR_PAGES   (data_bytes / GUEST_PAGE)
#define ALL_BITS   BITMAP_WORDS(NR_PAGES)

static uint64_t data_bytes = MAX_BYTES;
static bool may_walk = true;
static int ky_fd;
static uint64_t young[BITMAP_WORDS(MAX_PAGES) + 1];
static uint64_t huge[BITMAP_WORDS(MAX_PAGES) + 1];
static uint64_t truth[BITMAP_WORDS(MAX_PAGES)];
static uint32_t list[MAX_PAGES];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* As many calls as it takes; the numbers are of all together. */
static struct kvm_young_scan scan(const struct guest *g, uint64_t page,
				  uint64_t nr, uint32_t flags)
{
	struct kvm_young_scan all = { .method = 0 };

	memset(young, 0xa5, sizeof(young));
	while (all.nr_scanned < nr) {
		uint64_t done = all.nr_scanned;
		struct kvm_young_scan req = {
			.size = sizeof(req), .flags = flags,
			.vm_fd = g->vm_fd, .nr_pages = nr - done,
			.hva = (uintptr_t)g->data + (page + done) * GUEST_PAGE,
			.young = (uintptr_t)(young + done / 64),
			.huge = (uintptr_t)(huge + done / 64),
		};

		if (ioctl(ky_fd, KVM_YOUNG_SCAN, &req))
			tap_bail("KVM_YOUNG_SCAN: %s", strerror(errno));
		if (!req.nr_scanned || (req.nr_scanned % 64 &&
					req.nr_scanned < req.nr_pages))
			tap_bail("a call scanned %" PRIu64 " pages",
				 (uint64_t)req.nr_scanned);
		all.nr_scanned += req.nr_scanned;
		all.nr_young += req.nr_young;
		all.nr_skipped += req.nr_skipped;
		all.nr_flushes += req.nr_flushes;
		for (int i = 0; i < 3; i++)
			all.nr_leaves[i] += req.nr_leaves[i];
		if (req.method > all.method)
			all.method = req.method;
	}
	return all;
}

/*
 * One page in ten, or one huge page in ten by one 4 KiB page of it.  The first
 * and page 1024 are among them, so that no part looked at is all cold.
 */
static uint32_t choose(bool by_huge)
{
	uint32_t nr = 0;

	memset(truth, 0, sizeof(truth));
	for (uint32_t page = 0; page < NR_PAGES; page += by_huge ? 512 : 1) {
		if (page != 0 && page != 1024 && random() % 10)
			continue;
		list[nr++] = page + (by_huge ? random() % 512 : 0);
		bitmap_set_range(truth, page, page + (by_huge ? 512 : 1));
	}
	return nr;
}

static void compare(const char *what, uint64_t first, uint64_t nr)
{
	uint64_t hits = 0, misses = 0, extra = 0;

	for (uint64_t i = 0; i < nr; i++) {
		bool is = bitmap_test(young, i);
		bool should = bitmap_test(truth, first + i);

		hits += is && should;
		misses += !is && should;
		extra += is && !should;
	}
	ok(hits && !misses && !extra, "%s: %" PRIu64 " young found, %" PRIu64
	   " missed, %" PRIu64 " wrong", what, hits, misses, extra);
}

/* The best of five; hot: after the guest touched everything again. */
static void cost(struct guest *g, const char *what, uint32_t flags, bool hot)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t t;

		if (hot) {
			guest_start(g);
			guest_wait_rounds(g, 2);
			guest_stop(g);
		}
		t = now_ns();
		scan(g, 0, NR_PAGES, flags);
		t = now_ns() - t;
		best = t < best ? t : best;
	}
	printf("# cost: %s: %.1f ns a page\n", what, (double)best / NR_PAGES);
}

static void test_way(struct guest *g, bool by_huge, uint32_t way,
		     const char *name)
{
	const uint32_t take = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH | way;
	struct kvm_young_scan req;
	char what[100];
	uint32_t nr = choose(by_huge);

	guest_set_list(g, list, nr, false);
	guest_wait_rounds(g, 2);
	scan(g, 0, NR_PAGES, take);
	guest_wait_rounds(g, 3);

	req = scan(g, 0, NR_PAGES, way);
	snprintf(what, sizeof(what), "%s, looking", name);
	compare(what, 0, NR_PAGES);
	ok(req.method == (way || !may_walk ? KVM_YOUNG_BY_NOTIFIER :
					     KVM_YOUNG_BY_WALK),
	   "%s: went the way %s", name, may_walk ? "asked for" : "there is");
	is_int(req.nr_young, bitmap_count(young, 0, NR_PAGES),
	       "it counts what it reports");
	ok(young[ALL_BITS] == 0xa5a5a5a5a5a5a5a5, "and writes no further");

	scan(g, 1003, 2001, way);
	snprintf(what, sizeof(what), "%s, an odd range", name);
	compare(what, 1003, 2001);
	is_int(bitmap_count(young, 2001, 2048), 0, "bits beyond it are clear");

	scan(g, 0, NR_PAGES, take);
	snprintf(what, sizeof(what), "%s, taking", name);
	compare(what, 0, NR_PAGES);

	/* Every page touched again, by writes. */
	guest_wait_rounds(g, 2);
	scan(g, 0, NR_PAGES, take);
	guest_set_list(g, list, nr, true);
	guest_wait_rounds(g, 3);
	scan(g, 0, NR_PAGES, take);
	snprintf(what, sizeof(what), "%s, writes", name);
	compare(what, 0, NR_PAGES);

	guest_stop(g);
	scan(g, 0, NR_PAGES, take);
	is_int(scan(g, 0, NR_PAGES, take).nr_young, 0,
	       "control: nothing is young when nothing runs");
	guest_start(g);
}

static void test_partial_huge(struct guest *g)
{
	const uint32_t take = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH;

	list[0] = 5;
	guest_set_list(g, list, 1, false);
	guest_wait_rounds(g, 3);
	guest_stop(g);
	is_int(scan(g, 100, 1, take).nr_young, 1,
	       "a page of a young huge page is young");
	is_int(scan(g, 511, 2, take).nr_young, 1,
	       "and stays so: part of a leaf is not cleared");
	is_int(scan(g, 0, 512, take).nr_young, 512,
	       "the whole of it is young, too");
	is_int(scan(g, 0, 512, take).nr_young, 0, "once");
	guest_start(g);
}

/*
 * Tables that nobody used are skipped, and nothing is missed by that: pages of
 * some tables are used, other ones each time, and every leaf is looked at
 * first, without taking its bit, to compare.
 */
static void test_skip(struct guest *g)
{
	const uint32_t take = KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH;
	uint64_t hits = 0, differing = 0, skipped = 0;
	static uint64_t every[BITMAP_WORDS(MAX_PAGES)];
	struct kvm_young_scan req;
	const int nr_times = 40;

	guest_stop(g);
	/* The first few hundred tables are looked into all the same. */
	for (uint64_t pages = 0; pages < 8 * MAX_PAGES; pages += NR_PAGES)
		scan(g, 0, NR_PAGES, take);
	req = scan(g, 0, NR_PAGES, take);
	is_int(req.nr_young, 0, "nothing is young when nothing runs");
	ok(req.nr_skipped >= NR_PAGES / 8 * 7, "most tables are skipped: %"
	   PRIu64 " of %lu pages", (uint64_t)req.nr_skipped, NR_PAGES);
	cost(g, "walk, none young, unused tables skipped", take, false);
	cost(g, "walk, none young, every leaf", take | KVM_YOUNG_ALL_LEAVES,
	     false);
	is_int(scan(g, 0, NR_PAGES, take | KVM_YOUNG_ALL_LEAVES).nr_skipped, 0,
	       "none is when every leaf is asked for");

	for (int time = 0; time < nr_times; time++) {
		uint32_t nr = 0;

		memset(truth, 0, sizeof(truth));
		for (uint32_t t = 0; t < NR_PAGES / 512; t++) {
			for (int n = random() % 4 ? 0 : 1 + random() % 5; n;
			     n--) {
				list[nr] = t * 512 + random() % 512;
				bitmap_set(truth, list[nr++]);
			}
		}
		list[nr] = random() % NR_PAGES;
		bitmap_set(truth, list[nr++]);
		guest_set_list(g, list, nr, time & 1);
		guest_start(g);
		guest_wait_rounds(g, 2);
		/* While it runs, the same pages again: no bit may be lost. */
		scan(g, 0, NR_PAGES, take);
		guest_wait_rounds(g, 2);
		guest_stop(g);
		scan(g, 0, NR_PAGES, KVM_YOUNG_ALL_LEAVES);
		memcpy(every, young, ALL_BITS * sizeof(*every));
		req = scan(g, 0, NR_PAGES, take);
		skipped += req.nr_skipped;
		hits += bitmap_count(truth, 0, NR_PAGES);
		for (size_t i = 0; i < ALL_BITS; i++)
			differing += young[i] != truth[i] ||
				     every[i] != truth[i];
	}
	ok(hits && !differing, "%" PRIu64 " pages touched in some tables, %"
	   PRIu64 " words of the answers wrong", hits, differing);
	ok(skipped > NR_PAGES * nr_times / 2, "the others were skipped: %"
	   PRIu64 " of %lu pages", skipped, NR_PAGES * nr_times);
	guest_start(g);
}

static void test_backing(bool by_huge)
{
	struct guest g;
	struct kvm_young_scan req;

	printf("# %s pages\n", by_huge ? "huge" : "4 KiB");
	guest_make(&g, data_bytes, by_huge);
	guest_start(&g);
	is_int(scan(&g, 0, NR_PAGES, 0).nr_young, 0,
	       "nothing is young before the guest touched it");
	for (uint32_t i = 0; i < NR_PAGES; i++)
		list[i] = i;
	guest_set_list(&g, list, NR_PAGES, false);
	guest_wait_rounds(&g, 2);
	req = scan(&g, 0, NR_PAGES, 0);
	is_int(req.nr_young, NR_PAGES, "all is young when all was touched");
	is_int(bitmap_count(huge, 0, NR_PAGES),
	       by_huge && may_walk ? NR_PAGES : 0,
	       "the size of the leaves is known");
	is_int(req.nr_leaves[by_huge],
	       may_walk ? NR_PAGES / (by_huge ? 512 : 1) : 0,
	       "and their number");

	guest_stop(&g);
	cost(&g, "walk, all young, looking", 0, true);
	cost(&g, "walk, all young, taking", KVM_YOUNG_CLEAR, true);
	cost(&g, "walk, all young, taking, with the flush",
	     KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH, true);
	scan(&g, 0, NR_PAGES, KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH);
	cost(&g, "walk, none young", KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH, false);
	cost(&g, "notifier, none young",
	     KVM_YOUNG_NOTIFIER | KVM_YOUNG_CLEAR | KVM_YOUNG_FLUSH, false);
	guest_start(&g);

	test_way(&g, by_huge, 0, "walk");
	test_way(&g, by_huge, KVM_YOUNG_NOTIFIER, "notifier");
	if (may_walk && by_huge)
		test_partial_huge(&g);
	else if (may_walk)
		test_skip(&g);
	guest_free(&g);
}

static int scan_errno(struct kvm_young_scan req)
{
	return ioctl(ky_fd, KVM_YOUNG_SCAN, &req) ? errno : 0;
}

static void test_refusals(void)
{
	struct guest g;
	struct kvm_young_scan good, req;
	struct kvm_young_info info;

	is_int(ioctl(ky_fd, KVM_YOUNG_GET_INFO, &info), 0, "it tells its facts");
	is_int(info.abi_version, KVM_YOUNG_ABI_VERSION, "the ABI's version");
	is_int(info.method, KVM_YOUNG_BY_WALK, "it walks on this kernel");

	guest_make(&g, GUEST_HUGE, false);
	good = (struct kvm_young_scan){
		.size = sizeof(good), .vm_fd = g.vm_fd,
		.hva = (uintptr_t)g.data, .nr_pages = 512,
		.young = (uintptr_t)young,
	};
	is_int(scan_errno(good), 0, "a VM that never ran");
#define REFUSED(change, want, name) do {                                    \
	req = good;                                                         \
	change;                                                             \
	is_int(scan_errno(req), want, name);                                \
} while (0)
	REFUSED(req.size--, EINVAL, "refused: another size");
	REFUSED(req.flags = 1u << 31, EINVAL, "refused: an unknown flag");
	REFUSED(req.flags = KVM_YOUNG_FLUSH, EINVAL, "refused: flush alone");
	REFUSED(req.reserved = 1, EINVAL, "refused: reserved not zero");
	REFUSED(req.hva++, EINVAL, "refused: unaligned");
	REFUSED(req.nr_pages = 0, EINVAL, "refused: no pages");
	REFUSED(req.nr_pages = UINT64_MAX / 2, EINVAL, "refused: too many");
	REFUSED(req.hva = UINT64_C(0xffff800000000000), EINVAL,
		"refused: a kernel address");
	REFUSED(req.young++, EINVAL, "refused: unaligned bitmap");
	REFUSED(req.vm_fd = -1, EBADF, "refused: no file");
	REFUSED(req.vm_fd = ky_fd, EINVAL, "refused: a file that is no VM");
	REFUSED(req.vm_fd = g.vcpu_fd, EINVAL, "refused: a vCPU");
	REFUSED(req.young = 4096, EFAULT, "refused: a bitmap that is not there");
	REFUSED(req.young = UINT64_C(0xffff888000000000), EFAULT,
		"refused: a bitmap in the kernel");
	is_int(ioctl(ky_fd, _IO(KVM_YOUNG_IOC, 9)) ? errno : 0, ENOTTY,
	       "refused: an unknown request");
	guest_free(&g);
}

static int find_errno(struct kvm_young_find *req)
{
	return ioctl(ky_fd, KVM_YOUNG_FIND, req) ? errno : 0;
}

static void test_find(void)
{
	struct kvm_young_find req = { .size = sizeof(req) };
	struct guest g;

	guest_make(&g, GUEST_HUGE, false);
	req.vm_fd = g.vm_fd;
	req.gfn = (GUEST_DATA_GPA >> 12) + 5;
	ok(!find_errno(&req) && req.hva == (uintptr_t)g.data + 5 * GUEST_PAGE &&
	   req.nr_pages == GUEST_HUGE / GUEST_PAGE - 5,
	   "a frame is found, with those behind it");
	req.gfn = 0;
	ok(!find_errno(&req) && req.hva == (uintptr_t)g.control,
	   "and one of another slot");
	req.gfn = (GUEST_DATA_GPA + GUEST_HUGE) >> 12;
	is_int(find_errno(&req), ENOENT, "behind the last there is none");
	req.gfn = UINT64_MAX;
	is_int(find_errno(&req), ENOENT, "nor anywhere");
	req.size--;
	is_int(find_errno(&req), EINVAL, "refused: another size");
	req.size++;
	req.vm_fd = ky_fd;
	is_int(find_errno(&req), EINVAL, "refused: a file that is no VM");
	req.vm_fd = -1;
	is_int(find_errno(&req), EBADF, "refused: no file");
	guest_free(&g);
}

/*
 * kmod-truth [MIB [no-walk]]: less guest memory, for machines that are slow;
 * where KVM's tables have no accessed bits the module must know better than to
 * walk them.
 */
int main(int argc, char **argv)
{
	if (argc > 1)
		data_bytes = strtoul(argv[1], NULL, 10) << 20;
	may_walk = argc < 3 || strcmp(argv[2], "no-walk");
	if (argc > 3 || (argc == 3 && may_walk) || data_bytes < MIN_BYTES ||
	    data_bytes > MAX_BYTES || data_bytes % GUEST_HUGE)
		errx(2, "usage: kmod-truth [MIB [no-walk]]; MIB: even, 16 to 128");
	ky_fd = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC);
	if (ky_fd < 0)
		err(1, "%s", KVM_YOUNG_PATH);
	srandom(20);
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_refusals();
	test_find();
	test_backing(false);
	test_backing(true);
	return tap_done();
}
