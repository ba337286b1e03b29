// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/mem/guest-mem-internal.h"
#include "vmm/mem/zero-page.h"
#include "vmm/util/bitmap.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* 5 GiB: nothing is touched, so it costs nothing. */
static void test_layout(void)
{
	struct guest_mem *mem = NULL;
	const struct guest_memslot *slots;
	unsigned int nr;
	uint64_t hva;
	gfn_t gfn;

	ok(!guest_mem_new(&mem, 5 * GIB, GUEST_MEM_ANON), "5 GiB");
	slots = guest_mem_slots(mem, &nr);
	ok(nr == 2 && slots[0].nr_pages == 3 * GIB / 4096 &&
	   slots[1].base.v == 4 * GIB / 4096 &&
	   slots[1].nr_pages == 2 * GIB / 4096, "two slots around the hole");
	ok(guest_mem_nr_frames(mem) == 6 * GIB / 4096, "frames up to 6 GiB");
	ok(guest_mem_nr_pages(mem) == 5 * GIB / 4096, "5 GiB of pages");
	ok(slots[0].hva % (2 * MIB) == 0 && slots[1].hva % (2 * MIB) == 0,
	   "slots start on huge pages");
	ok(!guest_mem_gfn_to_hva(mem, GFN(7 * GIB / 2 / 4096), &hva),
	   "the hole has no host address");
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t last = slots[i].base.v + slots[i].nr_pages - 1;

		ok(guest_mem_gfn_to_hva(mem, GFN(last), &hva) &&
		   guest_mem_hva_to_gfn(mem, hva + 4095, &gfn) &&
		   gfn.v == last, "slot %u: last frame there and back", i);
	}
	ok(!guest_mem_hva_to_gfn(mem, slots[0].hva - 1, &gfn) &&
	   !guest_mem_hva_to_gfn(mem, slots[1].hva + 2 * GIB, &gfn),
	   "host addresses outside");
	guest_mem_free(mem);
	ok(guest_mem_new(&mem, 0, GUEST_MEM_ANON) == -EINVAL, "0 bytes are refused");
	ok(guest_mem_new(&mem, UINT64_MAX - 5, GUEST_MEM_ANON) == -ENOMEM,
	   "so is more than there are addresses");
}

static void test_translator(void)
{
	static const struct {
		uint64_t gpa, len;
		bool good;
	} t[] = {
		{ 0, 1, true },
		{ 0, 3 * GIB, true },
		{ 3 * GIB - 1, 1, true },
		{ 3 * GIB - 1, 2, false },
		{ 3 * GIB, 1, false },
		{ 0, 0, false },
		{ 4 * GIB - 1, 1, false },
		{ 4 * GIB - 1, 2, false },
		{ 4 * GIB, 2 * MIB, true },
		{ 4 * GIB, 2 * MIB + 1, false },
		{ 4 * GIB + 2 * MIB, 1, false },
		{ 5, UINT64_MAX, false },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX - 4095, 4096, false },
	};
	struct guest_mem *mem;

	if (guest_mem_new(&mem, 3 * GIB + 1, GUEST_MEM_ANON))
		tap_bail("no memory");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ok(!!guest_mem_ptr(mem, GPA(t[i].gpa), t[i].len) == t[i].good,
		   "gpa 0x%llx, %llu bytes: %s", (long long)t[i].gpa,
		   (long long)t[i].len, t[i].good ? "RAM" : "refused");
	ok(!guest_mem_write(mem, GPA(4 * GIB), "frames", 7) &&
	   !memcmp(guest_mem_ptr(mem, GPA(4 * GIB), 7), "frames", 7),
	   "write, read");
	ok(guest_mem_write(mem, GPA(3 * GIB - 2), "frames", 7) == -EFAULT &&
	   !memcmp(guest_mem_ptr(mem, GPA(3 * GIB - 2), 2), "\0", 2),
	   "a write that does not fit writes nothing");
	guest_mem_free(mem);
}

static void test_residency(enum guest_mem_backing backing)
{
	struct guest_mem *mem;
	struct gfn_range all;
	uint64_t *r, *s, nr;
	uint8_t *p;

	printf("# %s\n", backing == GUEST_MEM_MEMFD ? "memfd" : "anonymous");
	if (guest_mem_new(&mem, 16 * MIB, backing))
		tap_bail("no memory");
	nr = guest_mem_nr_frames(mem);
	all = (struct gfn_range){ GFN(0), nr };
	r = bitmap_new(nr);
	s = bitmap_new(nr);
	memset(r, 0xff, nr / 8);
	ok(!guest_mem_residency(mem, all, r, s) && !bitmap_count(r, 0, nr),
	   "nothing is resident at first");
	p = guest_mem_ptr(mem, GPA(0), 16 * MIB);
	for (uint64_t g = 0; g < nr; g += 3)
		p[g * 4096] = 1;
	ok(!guest_mem_residency(mem, all, r, s), "residency");
	for (uint64_t g = 0, bad = 0; g <= nr; g++) {
		if (g == nr)
			is_int(bad, 0, "each third page is");
		else
			bad += bitmap_test(r, g) != (g % 3 == 0);
	}
	is_int(guest_mem_discard(mem, (struct gfn_range){ GFN(0), 1024 }), 0,
	       "discard 1024 pages");
	guest_mem_residency(mem, all, r, s);
	is_int(bitmap_next(r, 0, nr), 1026, "they are gone, no others");
	is_int(guest_mem_nr_discarded(mem), 1024, "and counted");
	is_int(p[3 * 4096], 0, "they read as zeros");
	is_int(guest_mem_discard(mem, (struct gfn_range){ GFN(nr - 1), 2 }),
	       -EFAULT, "a discard beyond RAM is refused");
	is_int(guest_mem_discard(mem, (struct gfn_range){ GFN(UINT64_C(1) << 52),
							 1 }),
	       -EFAULT, "a frame number that wraps is refused");
	ok(p[(nr - 1) / 3 * 3 * 4096] == 1, "and discards nothing");
	free(r);
	free(s);
	guest_mem_free(mem);
}

static uint64_t nr_mapped(struct guest_mem *mem, uint64_t *bits)
{
	uint64_t nr = guest_mem_nr_frames(mem);

	if (guest_mem_mapped(mem, (struct gfn_range){ GFN(0), nr }, bits))
		tap_bail("what is mapped can't be read");
	return bitmap_count(bits, 0, nr);
}

static void test_unmap(void)
{
	const struct gfn_range r = { GFN(100), 50 }, over = { GFN(4000), 97 };
	const struct gfn_range all = { GFN(0), 4096 };
	uint64_t bits[BITMAP_WORDS(4096)];
	struct guest_mem *mem;
	uint8_t *p;

	if (guest_mem_new(&mem, 16 * MIB, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	p = guest_mem_ptr(mem, GPA(0), 16 * MIB);
	for (uint64_t g = 0; g < 1000; g++)
		p[g * 4096] = g % 251;
	is_int(nr_mapped(mem, bits), 1000, "touched pages are mapped");
	is_int(guest_mem_unmap(mem, r), 0, "50 are unmapped");
	is_int(nr_mapped(mem, bits), 950, "and the others are not");
	guest_mem_residency(mem, all, bits, NULL);
	is_int(bitmap_count(bits, 0, 4096), 1000, "all of them are resident");
	is_int(guest_mem_map(mem, r), 0, "mapped again");
	is_int(nr_mapped(mem, bits), 1000, "... they are");
	guest_mem_unmap(mem, all);
	is_int(nr_mapped(mem, bits), 0, "all unmapped");
	for (uint64_t g = 0, bad = 0; g <= 1000; g++) {
		if (g == 1000)
			is_int(bad, 0, "and nothing is lost");
		else
			bad += p[g * 4096] != g % 251;
	}
	is_int(guest_mem_unmap(mem, over), -EFAULT,
	       "a range beyond RAM is refused");
	is_int(guest_mem_unmap(mem, (struct gfn_range){
		GFN(UINT64_C(1) << 52), 1 }), -EFAULT,
	       "a frame number that wraps is refused");
	guest_mem_free(mem);
	if (guest_mem_new(&mem, 16 * MIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	p = guest_mem_ptr(mem, GPA(0), 16 * MIB);
	*p = 7;
	is_int(guest_mem_unmap(mem, r), -EINVAL, "anonymous memory is not "
	       "unmapped");
	is_int(*p, 7, "... and keeps its contents");
	guest_mem_free(mem);
}

/*
 * PAGEMAP_SCAN (Linux 6.7) against reading pagemap, in memory of all kinds:
 * touched, not touched, unmapped or, where there is swap, swapped.
 */
static void test_scan(enum guest_mem_backing backing, const char *name)
{
	enum { NR = 4096, FIRST = 513, LEN = 2049 };
	const struct gfn_range range = { GFN(FIRST), LEN };
	uint64_t bits[2][3][BITMAP_WORDS(NR)];
	uint64_t nr_swapped;
	struct guest_mem *mem;
	uint8_t *p;

	if (guest_mem_new(&mem, NR * 4096, backing))
		tap_bail("no memory");
	p = guest_mem_ptr(mem, GPA(0), NR * 4096);
	srand(3);
	for (uint64_t g = 0; g < NR; g++)
		if (g / 512 % 3 == 1 || rand() % 5 == 0)
			p[g * 4096] = 1;
	madvise(p + 600 * 4096, 300 * 4096, MADV_PAGEOUT);
	if (backing == GUEST_MEM_MEMFD)
		madvise(p + 1200 * 4096, 300 * 4096, MADV_DONTNEED);
	/* All set: what is outside of the range must stay. */
	memset(bits, 0xff, sizeof(bits));
	for (int i = 0; i < 2; i++) {
		mem->no_scan = i;
		if (guest_mem_mapped(mem, range, bits[i][0]) ||
		    guest_mem_residency(mem, range, bits[i][1], bits[i][2]))
			tap_bail("residency");
	}
	nr_swapped = bitmap_count(bits[1][2], FIRST, FIRST + LEN);
	printf("# %s: %llu mapped, %llu swapped\n", name,
	       (unsigned long long)bitmap_count(bits[1][0], FIRST, FIRST + LEN),
	       (unsigned long long)nr_swapped);
	ok(bitmap_count(bits[1][0], FIRST, FIRST + LEN) > 100,
	   "%s: pages are mapped", name);
	for (int k = 0; k < 3; k++)
		ok(!memcmp(bits[0][k], bits[1][k], sizeof(bits[0][k])),
		   "%s: both ways say the same of %s", name,
		   (const char *[]){ "mapped", "resident", "swapped" }[k]);
	ok(bitmap_test(bits[0][0], FIRST - 1) &&
	   bitmap_test(bits[0][0], FIRST + LEN), "%s: and of nothing else",
	   name);
	guest_mem_free(mem);
}

/* What was only read is the kernel's zero page, which can't be evicted. */
static void test_zeroes(enum guest_mem_backing backing, const char *name)
{
	enum { NR = 4096 };
	const struct gfn_range all = { GFN(0), NR };
	uint64_t resident[BITMAP_WORDS(NR)], swapped[BITMAP_WORDS(NR)];
	const volatile uint8_t *q;
	struct guest_mem *mem;
	unsigned int sum = 0;
	uint8_t *p;

	if (guest_mem_new(&mem, NR * 4096, backing))
		tap_bail("no memory");
	q = p = guest_mem_ptr(mem, GPA(0), NR * 4096);
	p[0] = p[2048 * 4096] = 1;
	for (uint64_t g = 0; g < NR; g++)
		sum += q[g * 4096];
	ok(sum == 2, "%s: all is read", name);
	for (int i = 0; i < 2; i++) {
		uint64_t nr, most = backing == GUEST_MEM_THP ? 1024 : 2;

		mem->no_scan = i;
		if (guest_mem_residency(mem, all, resident, swapped))
			tap_bail("residency");
		nr = bitmap_count(resident, 0, NR);
		if (i && geteuid() && !zero_page_find()->pfn) {
			tap_skip(name, "PFNs are root's to know");
			continue;
		}
		ok(bitmap_test(resident, 0) && bitmap_test(resident, 2048) &&
		   nr >= 2 && nr <= most,
		   "%s: what was written is there (%llu)", name,
		   (unsigned long long)nr);
	}
	guest_mem_free(mem);
}

#define NR_MANY 1400	/* ranges: more than fit in two calls */

/*
 * Every third frame, by the vectored call where the kernel has one and without.
 * A locked frame, which the kernel refuses, ends neither.
 */
static void test_unmap_many(bool vectored)
{
	const struct gfn_range all = { GFN(0), 3 * NR_MANY };
	static struct gfn_range ranges[NR_MANY];
	uint64_t mapped[BITMAP_WORDS(18 * MIB / 4096)];
	unsigned int nr_bad = 0, nr_locked = 0;
	struct guest_mem *mem;
	uint8_t *map, *locked;
	bool is_locked;

	if (guest_mem_new(&mem, 18 * MIB, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	if (!vectored && mem->self_pidfd >= 0) {
		close(mem->self_pidfd);
		mem->self_pidfd = -1;
	}
	map = guest_mem_ptr(mem, GPA(0), 3 * NR_MANY * 4096);
	for (uint64_t g = 0; g < 3 * NR_MANY; g++)
		map[g * 4096] = g % 251 + 1;
	for (uint64_t i = 0; i < NR_MANY; i++)
		ranges[i] = (struct gfn_range){ GFN(3 * i), 1 };
	locked = map + 3 * 600 * 4096;
	/* Sanitizers replace mlock() by nothing. */
	is_locked = !syscall(SYS_mlock, locked, 4096);
	is_int(guest_mem_unmap_many(mem, ranges, NR_MANY), 0,
	       vectored ? "many are unmapped" : "and without vectored advice");
	if (guest_mem_mapped(mem, all, mapped))
		tap_bail("what is mapped can't be read");
	for (uint64_t g = 0; g < 3 * NR_MANY; g++) {
		bool want = g % 3 || (is_locked && g == 3 * 600);

		nr_locked += g == 3 * 600 && bitmap_test(mapped, g);
		nr_bad += bitmap_test(mapped, g) != want;
	}
	is_int(nr_bad, 0, "these and no others");
	is_int(nr_locked, is_locked, "but for one that is locked");
	for (uint64_t g = 0; g < 3 * NR_MANY; g++)
		nr_bad += map[g * 4096] != g % 251 + 1;
	is_int(nr_bad, 0, "with their contents kept");
	syscall(SYS_munlock, locked, 4096);
	ranges[1].start.v = 18 * MIB / 4096;
	is_int(guest_mem_unmap_many(mem, ranges, 2), -EFAULT,
	       "a frame outside memory is refused");
	guest_mem_free(mem);
}

/* What needs no pool; the rest is tests/native/hugetlb.sh. */
static void test_hugetlb_refused(void)
{
	static const struct {
		uint64_t bytes;
		enum guest_mem_backing backing;
		int rc;		/* 0: any, as the host is */
		const char *text;
	} t[] = {
		{ GIB + 2 * MIB, GUEST_MEM_HUGETLB_1G, 0, "GiB" },
		/* 16 TiB: more than any pool here. */
		{ UINT64_C(1) << 44, GUEST_MEM_HUGETLB, 0, "hugepages" },
		{ UINT64_C(1) << 44, GUEST_MEM_HUGETLB_1G, 0, "hugepages" },
		{ 0, GUEST_MEM_HUGETLB, -EINVAL, "0 bytes" },
	};
	struct guest_mem *mem = NULL;
	char why[512];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int rc = guest_mem_new(&mem, t[i].bytes, t[i].backing);

		ok(rc < 0 && !mem && (!t[i].rc || rc == t[i].rc),
		   "hugetlb, %llu bytes: %s", (unsigned long long)t[i].bytes,
		   strerror(-rc));
		guest_mem_explain(rc, t[i].bytes, t[i].backing, why,
				  sizeof(why));
		ok(strstr(why, t[i].text), "... saying %s: %s", t[i].text, why);
	}
}

/* A guest can name one page in all buffers of a disk's request, and of several. */
static void test_many_holds(void)
{
	static const unsigned int counts[] = { 254, 255, 256, 257, 2048,
					       GUEST_MEM_MAX_PINS };
	const gpa_t gpa = GPA(7 * 4096 + 100);
	struct guest_mem *mem;

	if (guest_mem_new(&mem, 2 * MIB, GUEST_MEM_ANON))
		tap_bail("no memory");
	for (size_t k = 0; k < sizeof(counts) / sizeof(*counts); k++) {
		bool held = true;

		for (unsigned int i = 0; i < counts[k]; i++)
			guest_mem_pin(mem, gpa, 16);
		for (unsigned int i = 0; i < counts[k]; i++) {
			held &= guest_mem_is_pinned(mem, GFN(7));
			guest_mem_unpin(mem, gpa, 16);
		}
		ok(held, "held %u times: until the last release", counts[k]);
		ok(!guest_mem_is_pinned(mem, GFN(7)), "... and no longer");
	}
	guest_mem_free(mem);
}

int main(void)
{
	test_many_holds();
	test_layout();
	test_translator();
	test_residency(GUEST_MEM_ANON);
	test_residency(GUEST_MEM_MEMFD);
	test_unmap();
	test_unmap_many(true);
	test_unmap_many(false);
	test_scan(GUEST_MEM_ANON, "anonymous");
	test_scan(GUEST_MEM_THP, "huge");
	test_scan(GUEST_MEM_MEMFD, "memfd");
	test_zeroes(GUEST_MEM_ANON, "zeroes, small");
	test_zeroes(GUEST_MEM_THP, "zeroes, huge");
	test_hugetlb_refused();
	return tap_done();
}
