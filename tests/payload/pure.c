// SPDX-License-Identifier: GPL-2.0-or-later
/* The payload's pure parts, compiled for the host. */
#include "config.h"

#include "tests/payload/payload.h"
#include "tests/tap.h"

static bool is_permutation(uint64_t n, uint64_t seed)
{
	uint8_t *seen = calloc(n, 1);
	bool good = seen;

	for (uint64_t i = 0; good && i < n; i++) {
		uint64_t p = permute(i, n, seed);

		good = p < n && !seen[p]++;
	}
	free(seen);
	return good;
}

static void test_permute(void)
{
	static const uint64_t sizes[] = { 1, 2, 3, 5, 16, 17, 1000, 65536,
					  65537, 1044480 };
	uint64_t nr_same = 0, nr_runs = 0;
	bool good = true;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint64_t seed = 0; seed < 3; seed++)
			good = good && is_permutation(sizes[i], seed);
	ok(good, "permute is a permutation, of whatever size");
	/*
	 * Of 100,000 places one is expected to be equal and two in 100,000 to
	 * be neighbours; a hundred of either means that it does not scatter.
	 */
	for (uint64_t i = 0; i < 100000; i++) {
		nr_same += permute(i, 100000, 1) == permute(i, 100000, 2);
		nr_runs += permute(i, 100000, 1) + 1 ==
			   permute(i + 1 < 100000 ? i + 1 : 0, 100000, 1);
	}
	ok(nr_same < 100, "another seed, another permutation (%llu equal)",
	   (unsigned long long)nr_same);
	ok(nr_runs < 100, "neighbours are scattered (%llu stay)",
	   (unsigned long long)nr_runs);
}

static void test_zipf(void)
{
	enum { DRAWS = 2000000 };
	const uint64_t n = 1 << 20;
	struct rng rng = { 42 };
	struct zipf zipf, one;
	uint64_t upto[5] = { 0 };
	bool inside = true;

	zipf_init(&zipf, n);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t rank = zipf_next(&zipf, &rng);

		inside = inside && rank < n;
		for (int k = 0; k < 5; k++)
			upto[k] += rank < UINT64_C(1) << 4 * k;
	}
	ok(inside, "zipf ranks are in range");
	/*
	 * Rank r is drawn when n^u is in [r + 1, r + 2): ranks below 2^4k have
	 * the probability log(2^4k + 1) / log(2^20).  Half a percent of all
	 * draws is over ten standard deviations.
	 */
	for (int k = 0; k < 5; k++) {
		static const double log2_of[] = { 1.0, 4.087463, 8.005625,
						  12.000352, 16.000022 };
		double want = log2_of[k] / 20, got = (double)upto[k] / DRAWS;

		ok(got > want - 0.005 && got < want + 0.005,
		   "zipf: %.4f of draws below rank 2^%d, by the law %.4f", got,
		   4 * k, want);
	}
	zipf_init(&one, 1);
	is_int((long long)zipf_next(&one, &rng), 0, "zipf of one");
}

static void test_verify(void)
{
	static uint64_t a[512], b[512];
	int nr_equal = 0;

	page_write(a, 1, 77, 5);
	ok(page_is(a, 1, 77, 5), "a page is what was written");
	ok(!page_is(a, 1, 77, 4) && !page_is(a, 1, 78, 5) &&
	   !page_is(a, 2, 77, 5), "and no older, other or foreign page");
	for (int i = 0; i < 512; i++)
		nr_equal += page_word_is(a, 1, 77, 5, (uint64_t)i);
	is_int(nr_equal, 512, "word by word");
	for (int i = 0; i < 512; i++) {
		a[i] ^= UINT64_C(1) << i % 64;
		nr_equal -= !page_is(a, 1, 77, 5) &&
			    !page_word_is(a, 1, 77, 5, (uint64_t)i);
		a[i] ^= UINT64_C(1) << i % 64;
	}
	is_int(nr_equal, 0, "one flipped bit is seen, wherever it is");
	ok(!page_is(b, 0, 0, 1), "a page of zeros is never right");
}

static void test_latency(void)
{
	static struct latency all, some;
	bool good = true;
	uint64_t median;

	/* Powers of two, and the numbers next to them. */
	for (unsigned int log2 = 0; log2 < LATENCY_LOG2_MAX; log2++)
		for (uint64_t v = (UINT64_C(1) << log2) - 1, i = 0; i < 3;
		     i++, v++) {
			uint64_t end = latency_class_end(latency_class(v));

			good = good && end > v && end <= v + v / 8 + 1;
		}
	ok(good, "a latency's class ends at most an eighth above it");
	is_int(latency_class(UINT64_MAX), LATENCY_CLASSES - 1,
	       "and no latency is beyond the last");
	is_int((long long)latency_percentile(&all, 500000), 0,
	       "no latencies, no percentile");
	for (uint64_t v = 0; v < 1000; v++)
		latency_add(&all, 1000 + v);
	latency_add(&some, 1 << 20);
	latency_sum(&all, &some);
	median = latency_percentile(&all, 500000);
	ok(median >= 1500 && median <= 1500 * 9 / 8, "the median is %llu",
	   (unsigned long long)median);
	ok(latency_percentile(&all, 1000000) > 1 << 20, "and the last is");
	latency_subtract(&all, &some);
	ok(latency_percentile(&all, 1000000) <= 2048, "and what went is gone");
}

static void test_args(void)
{
	static const char *const wrong[] = {
		"mem=12Q", "mem=", "hot=101", "hot=ten", "pattern=cold",
		"layout=wild", "procs=17", "verify=2", "seed=99999999999999999999",
	};
	const char *bad = NULL;
	struct args args;

	ok(args_parse("", &args, &bad) && args.pattern == PATTERN_HOTCOLD &&
	   args.hot_percent == 10 && args.verify, "defaults");
	ok(args_parse(" console=ttyS0 pattern=zipf  mem=4G hot=25% seconds=3 "
		      "layout=block quiet verify=0 ", &args, &bad) &&
	   args.pattern == PATTERN_ZIPF && args.mem_bytes == 4ull << 30 &&
	   args.hot_percent == 25 && args.duration_ms == 3000 &&
	   !args.scatter && !args.verify, "words, suffixes, others ignored");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bad = NULL;
		ok(!args_parse(wrong[i], &args, &bad) && bad == wrong[i],
		   "refused: %s", wrong[i]);
	}
}

int main(void)
{
	test_permute();
	test_zipf();
	test_verify();
	test_latency();
	test_args();
	return tap_done();
}
