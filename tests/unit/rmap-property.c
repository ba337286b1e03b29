// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random histories of a small machine, after every step of which the map must
 * give the answers of a naive oracle (rmap-machine.h).  A history that fails is
 * made smaller while it still fails, and printed.
 *
 * RMAP_PROPERTY_STEPS=N sets the steps a seed, RMAP_PROPERTY_SEED=N runs only
 * that one; by default a few thousand steps of each kind.
 */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "tests/unit/rmap-steps.h"

static const char *const schemes[] = { "anon_vma", "anon_mm", "pte_chain" };

struct history {
	uint64_t seed;
	enum rmap_scheme scheme;
	unsigned int fail_percent;
	bool lose_unmaps;	/* a fault to be found: in the map only */
	uint32_t nr;		/* steps */
	uint32_t *steps;	/* owned; their numbers, NULL: 0 to nr - 1 */
	bool telling;
};

struct result {
	uint32_t at;		/* of the steps, which failed */
	unsigned int nr_failed;	/* allocations */
	uint64_t outstanding;	/* bytes, when all is freed */
	char why[160];
};

/* True: the map and the oracle agreed all the time. */
static bool replay(const struct history *h, struct result *res)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct rmap_config config = {
		.nr_frames = NR_FRAMES, .scheme = h->scheme,
		.zalloc = zalloc, .release = release, .alloc_ctx = m,
	};
	bool good = true;

	if (!m || rmap_new(&m->map, &config))
		tap_bail("no memory");
	m->fail_percent = h->fail_percent;
	m->lose_unmaps = h->lose_unmaps;
	m->telling = h->telling;
	res->at = 0;
	for (uint32_t i = 0; i < h->nr && good; i++) {
		uint32_t number = h->steps ? h->steps[i] : i;

		if (h->telling)
			printf("# step %u\n", number);
		res->at = i;
		good = step(m, h->seed, number) && machine_check(m);
	}
	res->nr_failed = m->nr_failed;
	memcpy(res->why, m->why, sizeof(res->why));
	m->fail_percent = 0;
	rmap_free(m->map);
	res->outstanding = m->outstanding;
	free(m);
	return good;
}

/* One piece less; false (and nothing is done) where that does not fail. */
static bool without(struct history *h, uint32_t at, uint32_t piece)
{
	struct history less = *h;
	struct result res;

	less.steps = malloc((h->nr + 1) * sizeof(*less.steps));
	if (!less.steps)
		tap_bail("no memory");
	less.nr = 0;
	for (uint32_t i = 0; i < h->nr; i++) {
		if (i < at || i >= at + piece)
			less.steps[less.nr++] = h->steps[i];
	}
	if (replay(&less, &res)) {
		free(less.steps);
		return false;
	}
	free(h->steps);
	*h = less;
	h->nr = res.at + 1;
	return true;
}

/* Takes ever smaller pieces away while what is left fails. */
static void shrink(struct history *h, uint32_t failed_at)
{
	h->nr = failed_at + 1;
	h->steps = malloc(h->nr * sizeof(*h->steps));
	if (!h->steps)
		tap_bail("no memory");
	for (uint32_t i = 0; i < h->nr; i++)
		h->steps[i] = i;
	for (uint32_t piece = h->nr / 2; piece; piece /= 2) {
		bool again = true;

		while (again) {
			again = false;
			for (uint32_t at = 0; at < h->nr;) {
				if (without(h, at, piece))
					again = piece == 1;
				else
					at += piece;
			}
		}
	}
}

static void tell_failure(struct history *h, const struct result *res)
{
	struct result last;

	printf("# step %u: %s; smallest history:\n", res->at, res->why);
	shrink(h, res->at);
	h->telling = true;
	replay(h, &last);
	printf("# %s\n", last.why);
	free(h->steps);
}

static void run(uint64_t seed, enum rmap_scheme scheme, unsigned int steps,
		unsigned int fail_percent)
{
	struct history h = { .seed = seed, .scheme = scheme, .nr = steps,
			     .fail_percent = fail_percent };
	struct result res;
	bool good = replay(&h, &res);

	ok(res.outstanding == 0, "%s, seed %llu: all memory came back",
	   schemes[scheme], (unsigned long long)seed);
	if (!ok(good, "%s, seed %llu, %u %% of allocations fail: %u steps",
		schemes[scheme], (unsigned long long)seed, fail_percent, steps))
		tell_failure(&h, &res);
	else if (fail_percent)
		printf("# %u allocations failed\n", res.nr_failed);
}

/*
 * Of thousands of steps those must be left which make a process and a VMA,
 * map a page and unmap it; each is needed once.
 */
static void test_shrink(void)
{
	struct history h = { .seed = 5, .nr = 3000, .lose_unmaps = true };
	struct result res;
	bool good = replay(&h, &res);
	uint32_t nr = res.at;

	ok(!good, "a map that loses unmaps is found out: at step %u", nr);
	shrink(&h, res.at);
	ok(!replay(&h, &res) && h.nr >= 3 && h.nr <= 4,
	   "%u steps shrink to %u", nr + 1, h.nr);
	free(h.steps);
}

int main(void)
{
	const char *env_steps = getenv("RMAP_PROPERTY_STEPS");
	const char *env_seed = getenv("RMAP_PROPERTY_SEED");
	unsigned int steps = env_steps ? strtoul(env_steps, NULL, 0) : 3000;

	test_shrink();
	for (unsigned int i = 0; i < 3; i++) {
		if (env_seed) {
			uint64_t seed = strtoull(env_seed, NULL, 0);

			run(seed, i, steps, 0);
			run(seed, i, steps, 20);
			continue;
		}
		for (uint64_t seed = 1; seed <= 6; seed++)
			run(seed, i, steps, seed % 3 ? 0 : 20);
	}
	return tap_done();
}
