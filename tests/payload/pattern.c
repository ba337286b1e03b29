// SPDX-License-Identifier: GPL-2.0-or-later
/* Which pages are touched, and what an operation on a page does. */
#include "tests/payload/payload.h"

#define COUNTER_LOCK	(1u << 31)

void pattern_init(struct proc *proc, const struct args *args)
{
	uint64_t nr = proc->private_region.nr;

	proc->rng.state = args->seed * 0x10001 + proc->index;
	proc->hot_seed = args->scatter ?
			 args->seed + proc->index * 1000003ull : 0;
	proc->nr_hot = nr * args->hot_percent / 100;
	if (!proc->nr_hot)
		proc->nr_hot = 1;
	zipf_init(&proc->zipf, nr);
}

/* Rank 0 is the hottest page; the place of a rank depends on the layout. */
static uint64_t place(const struct proc *proc, const struct args *args,
		      uint64_t rank)
{
	uint64_t nr = proc->private_region.nr, cluster = args->cluster;

	if (!args->scatter)
		return (rank + proc->hot_seed % nr / proc->nr_hot *
			proc->nr_hot) % nr;
	if (cluster == 1)
		return permute(rank, nr, proc->hot_seed);
	/* Pages beyond the last whole cluster stay where they are. */
	if (rank / cluster >= nr / cluster)
		return rank;
	return permute(rank / cluster, nr / cluster, proc->hot_seed) *
	       cluster + rank % cluster;
}

/* In the shared region: first third all, second third process 0 only. */
static uint64_t pick_shared(struct proc *proc)
{
	uint64_t third = proc->shared_region->nr / 3;

	return rng_below(&proc->rng, proc->index ? third : 2 * third);
}

static uint64_t pick(struct proc *proc, const struct args *args)
{
	uint64_t nr = proc->private_region.nr;

	if (args->cold_ppm &&
	    rng_below(&proc->rng, 1000000) < args->cold_ppm)
		return rng_below(&proc->rng, nr);
	switch (args->pattern) {
	case PATTERN_ZIPF:
		return place(proc, args, zipf_next(&proc->zipf, &proc->rng));
	case PATTERN_SEQUENTIAL:
		proc->cursor = proc->cursor + 1 < nr ? proc->cursor + 1 : 0;
		return proc->cursor;
	case PATTERN_UNIFORM:
		return rng_below(&proc->rng, nr);
	default:
		return place(proc, args, rng_below(&proc->rng, proc->nr_hot));
	}
}

static uint64_t *page_at(const struct region *region, uint64_t index)
{
	return (uint64_t *)(region->va + (index << PAGE_SHIFT));
}

/* The expected counter; of a shared page, with the page's lock taken. */
static uint32_t counter_take(const struct region *region, uint64_t index)
{
	uint32_t *counter = &region->counters[index], seen;

	if (!region->shared)
		return *counter;
	for (;;) {
		seen = __atomic_fetch_or(counter, COUNTER_LOCK,
					 __ATOMIC_ACQUIRE);
		if (!(seen & COUNTER_LOCK))
			return seen;
		cpu_relax();
	}
}

static void counter_put(const struct region *region, uint64_t index,
			uint32_t value)
{
	__atomic_store_n(&region->counters[index], value & ~COUNTER_LOCK,
			 __ATOMIC_RELEASE);
}

/* False: the page does not hold what was last written to it. */
static bool operate(const struct args *args, const struct region *region,
		    uint64_t index, uint64_t dice)
{
	uint64_t *page = page_at(region, index);
	bool write = dice % 100 < args->write_percent, good = true;
	uint32_t counter;

	if (!args->verify) {
		volatile uint64_t *word = page;

		if (write)
			*word = *word;
		else
			(void)*word;
		return true;
	}
	counter = counter_take(region, index);
	if (!write) {
		good = page_word_is(page, region->id, index, counter,
				    dice >> 32);
	} else {
		good = page_is(page, region->id, index, counter);
		counter = (counter + 1) & ~COUNTER_LOCK;
		page_write(page, region->id, index, counter);
	}
	counter_put(region, index, counter);
	return good;
}

void pattern_batch(struct proc *proc, const struct args *args)
{
	uint64_t start = rdtsc(), last = start, took, now, nr_errors = 0;

	if (args->pattern == PATTERN_IDLE) {
		cpu_relax();
		return;
	}
	for (int i = 0; i < BATCH_OPS; i++) {
		const struct region *region = &proc->private_region;
		uint64_t index, dice = rng_next(&proc->rng);

		if (args->pattern == PATTERN_SHARED && proc->shared_region &&
		    i % 2) {
			region = proc->shared_region;
			index = pick_shared(proc);
		} else {
			index = pick(proc, args);
		}
		nr_errors += !operate(args, region, index, dice);
		if (args->latency) {
			now = rdtsc();
			latency_add(&proc->latency, now - last);
			last = now;
		}
	}
	took = rdtsc() - start;
	if (took > proc->max_batch_tsc)
		proc->max_batch_tsc = took;
	proc->nr_errors += nr_errors;
	proc->nr_ops += BATCH_OPS;
}

void pattern_shift(struct proc *proc, const struct args *args)
{
	proc->hot_seed += args->scatter ? 7919 : proc->nr_hot;
}

static void fill_region(const struct region *region, bool by_identity)
{
	for (uint64_t i = 0; i < region->nr; i++) {
		uint64_t *page = page_at(region, i);

		if (by_identity)
			page = (uint64_t *)(region_gfn(region, i) <<
					    PAGE_SHIFT);
		region->counters[i] = 1;
		page_write(page, region->id, i, 1);
	}
}

/*
 * Shared pages are filled behind the processes' backs, so that an accessed bit
 * in a page table means that the pattern touched the page.
 */
void pattern_fill(struct proc *proc)
{
	fill_region(&proc->private_region, false);
	if (proc->shared_region && !proc->index)
		fill_region(proc->shared_region, true);
}

static void check_region(struct proc *proc, const struct region *region)
{
	for (uint64_t i = 0; i < region->nr; i++) {
		uint64_t *page = (uint64_t *)(region_gfn(region, i) <<
					      PAGE_SHIFT);

		if (!region->shared)
			page = page_at(region, i);
		if (!page_is(page, region->id, i, region->counters[i]))
			proc->nr_errors++;
		proc->nr_checked++;
	}
}

void pattern_check(struct proc *proc)
{
	check_region(proc, &proc->private_region);
	if (proc->shared_region && !proc->index)
		check_region(proc, proc->shared_region);
}
