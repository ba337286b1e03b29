// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The swap sink: its results agree with the host's page tables.  Built twice:
 * WITH_EVICTOR, memory in a memfd is evicted by a process of its own.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR   2048		/* frames: 8 MiB */
#define NR_WRITTEN 1000u
#define PAGE 4096
#define NR_TRIES 20

static struct guest_mem *mem;
static struct reclaim_sink *sink;

static uint64_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

/* Frames [0, nr) written; those above never touched. */
static void fill(uint64_t nr)
{
	for (uint64_t g = 0; g < nr; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			page(g)[i] = (g * 512 + i) * 0x9e3779b97f4a7c15ull;
}

static unsigned int nr_wrong(uint64_t nr)
{
	unsigned int n = 0;

	for (uint64_t g = 0; g < nr; g++)
		for (uint64_t i = 0; i < PAGE / 8; i++)
			n += page(g)[i] !=
			     (g * 512 + i) * 0x9e3779b97f4a7c15ull;
	return n;
}

static uint64_t nr_resident(uint64_t first, uint64_t end, uint64_t *swapped)
{
	uint64_t in[BITMAP_WORDS(NR)] = { 0 }, out[BITMAP_WORDS(NR)] = { 0 };

	if (guest_mem_residency(mem, (struct gfn_range){ GFN(0), NR }, in, out))
		tap_bail("residency can't be read");
	if (swapped)
		*swapped = bitmap_count(out, first, end);
	return bitmap_count(in, first, end);
}

/*
 * The kernel keeps a page that it has in hand just then, for example to compact
 * memory for another test.  Then all that was written is refaulted, and evicted
 * again.
 */
static int evict_all(const struct gfn_range *r, size_t n,
		     struct reclaim_result *res)
{
	int rc = 0;

	for (int i = 0; i < NR_TRIES; i++) {
		*res = (struct reclaim_result){ 0 };
		rc = sink->ops->evict(sink, r, n, res);
		if (rc || !res->kept || i == NR_TRIES - 1)
			break;
		printf("# %llu pages were kept: once more\n",
		       (unsigned long long)res->kept);
		for (size_t k = 0; k < n; k++)
			for (uint64_t g = r[k].start.v;
			     g < r[k].start.v + r[k].nr && g < NR_WRITTEN; g++)
				page(g)[0] = page(g)[0];
		usleep(20000);
	}
	return rc;
}

static void test_counts(void)
{
	const struct gfn_range r[] = { { GFN(0), 100 }, { GFN(950), 100 } };
	struct reclaim_result res;
	uint64_t swapped;

	is_int(evict_all(r, 2, &res), 0, "two ranges");
	is_int(res.tried, 200, "200 pages tried");
	is_int(res.evicted, 150, "150 evicted");
	is_int(res.absent, 50, "50 were never there");
	is_int(res.kept, 0, "none kept");
	is_int(nr_resident(0, NR, &swapped), 850, "the host agrees");
	is_int(swapped, 150, "they are in swap");
	sink->ops->evict(sink, r, 1, &res);
	ok(res.tried == 300 && res.absent == 150 && res.evicted == 150,
	   "again: nothing is there, and results add up");
}

/* More ranges than fit one call, with a page between any two. */
static void test_many_ranges(void)
{
	static struct gfn_range r[NR];
	struct reclaim_result res;
	size_t n = 0;

	for (uint64_t g = 1; g < NR_WRITTEN; g += 2) {
		r[n++] = (struct gfn_range){ GFN(g), 1 };
		page(g)[0] = page(g)[0];
		page(g - 1)[0] = page(g - 1)[0];
	}
	for (uint64_t g = 0; g < NR_WRITTEN; g += 4)
		r[n++] = (struct gfn_range){ GFN(g), 1 };
	is_int(evict_all(r, n, &res), 0, "750 ranges");
	is_int(res.evicted, 750, "all evicted");
	is_int(nr_resident(0, 1000, NULL), 250, "the pages between stay");
}

static void test_locked(void)
{
	const struct gfn_range r = { GFN(200), 20 };
	struct reclaim_result res = { 0 };

	/* Sanitizers replace mlock() by nothing. */
	if (syscall(SYS_mlock, page(205), 3 * PAGE)) {
		if (!geteuid())
			tap_bail("mlock: %s", strerror(errno));
		tap_skip("locked pages", "mlock() is not allowed: run as root "
			 "or raise RLIMIT_MEMLOCK");
		return;
	}
	for (uint64_t g = 200; g < 220; g++)
		page(g)[0] = page(g)[0];
	sink->ops->evict(sink, &r, 1, &res);
	ok(res.kept >= 3 && nr_resident(205, 208, NULL) == 3,
	   "locked pages are kept, and counted (%llu of 20 kept)",
	   (unsigned long long)res.kept);
	is_int(res.tried, res.evicted + res.absent + res.kept, "it adds up");
	is_int(nr_resident(200, 220, NULL), res.kept, "the host agrees");
	syscall(SYS_munlock, page(205), 3 * PAGE);
}

static void test_refusals(void)
{
	const struct gfn_range out = { GFN(NR + 5), 1 }, r = { GFN(0), 8 };
	const struct gfn_range over = { GFN(NR - 1), 2 };
	const struct gfn_range wrap = { GFN(1), UINT64_MAX };
	struct reclaim_result res = { 0 };

	ok(sink->ops->evict(sink, &out, 1, &res) < 0 && !res.tried,
	   "a frame outside memory is refused");
	ok(sink->ops->evict(sink, &over, 1, &res) < 0 && !res.tried,
	   "so is a range that leaves it");
	ok(sink->ops->evict(sink, &wrap, 1, &res) < 0 && !res.tried,
	   "and one that goes around");
	is_int(sink->ops->evict(sink, &r, 0, &res), 0, "no ranges: nothing");
	is_int(sink->ops->prefetch(sink, &r, 1), 0, "prefetch is taken");
	ok(sink->ops->prefetch(sink, &out, 1) < 0, "not outside memory");
}

/* What an access source unmapped is in RAM, and is evicted like the rest. */
static void test_unmapped(void)
{
	const struct gfn_range r = { GFN(0), 1100 };
	struct reclaim_result res = { 0 };
	uint64_t swapped, resident;

	nr_wrong(NR_WRITTEN);
	is_int(guest_mem_unmap(mem, r), 0, "all is unmapped");
	is_int(nr_resident(0, NR, NULL), 1000, "and resident");
	sink->ops->evict(sink, &r, 1, &res);
	resident = nr_resident(0, NR, &swapped);
	ok(res.evicted > 900 && res.evicted == swapped,
	   "unmapped pages are evicted: %llu", (unsigned long long)res.evicted);
	is_int(res.kept, resident, "what is kept is resident");
	is_int(res.absent, 100, "what was never there was not made");
}

static void test_backing(enum guest_mem_backing backing)
{
	char why[512] = "";

	printf("# %s\n", backing == GUEST_MEM_MEMFD ? "memfd" : "anonymous");
	if (guest_mem_new(&mem, NR * PAGE, backing))
		tap_bail("no memory");
	if (sink_swap.probe(mem, why, sizeof(why)))
		tap_fail_all(why);
	is_int(sink_swap.open(&sink, mem, NULL, why, sizeof(why)), 0, "it opens");
	fill(NR_WRITTEN);
	test_counts();
	is_int(nr_wrong(NR_WRITTEN), 0, "the data comes back");
	test_many_ranges();
	test_locked();
	test_refusals();
	if (backing == GUEST_MEM_MEMFD)
		test_unmapped();
	is_int(nr_wrong(NR_WRITTEN), 0, "and is whole after all");
	sink->ops->close(sink);
	guest_mem_free(mem);
}

int main(int argc, char **argv)
{
#ifdef WITH_EVICTOR
	evictor_init(argc, argv);
#else
	(void)argc;
	(void)argv;
#endif
	stay_on_one_cpu(NULL);
	test_backing(GUEST_MEM_ANON);
	test_backing(GUEST_MEM_MEMFD);
	return tap_done();
}
