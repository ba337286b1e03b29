// SPDX-License-Identifier: GPL-2.0-or-later
/* When a block is to be a huge page: vmm/policy/blocks.h, without a machine. */
#include "config.h"

#include "tests/tap.h"
#include "vmm/policy/blocks.h"
#include "vmm/policy/price.h"

#define NR_BLOCKS 100u
#define IDLE	  2u	/* scans */

static struct block_table new_table(void)
{
	struct block_table t;

	if (block_table_init(&t, NR_BLOCKS * BLOCK_PAGES))
		tap_bail("no memory");
	return t;
}

/* Looks at a block from scan on; returns the first scan after the look. */
static uint32_t look(struct block_table *t, uint64_t block, uint32_t scan)
{
	block_set_split(t, block, scan, IDLE);
	while (!block_look_is_over(t, block, scan, IDLE))
		scan++;
	return scan;
}

static void test_price(void)
{
	unsigned int last = PRICE_RANKS, rank;
	bool falls = true;

	for (unsigned int idle = 1; idle <= BLOCK_PAGES; idle++) {
		rank = block_split_rank(idle);
		falls = falls && rank <= last;
		last = rank;
	}
	ok(falls, "the more of a block is idle, the cheaper is each page");
	is_int(block_split_rank(BLOCK_PAGES), 0, "all of it: no price");
	ok(block_split_rank(BLOCK_PAGES / 2) < price_rank_of(1) &&
	   block_split_rank(BLOCK_PAGES / 2) > price_rank_of(1. / 64),
	   "half of it: less than a page used in each scan, and more than one "
	   "used each minute");
	ok(block_is_worth_splitting(BLOCK_MIN_IDLE) &&
	   !block_is_worth_splitting(BLOCK_MIN_IDLE - 1),
	   "too few are worth nothing");
}

static void test_amount(void)
{
	struct block_table t = new_table();
	uint64_t first = block_nr_to_split(&t, NR_BLOCKS, 512), later;

	ok(first >= 2 && first <= 4, "for 512 pages some blocks: %d",
	   (int)first);
	ok(block_nr_to_split(&t, NR_BLOCKS, 1 << 20) <= NR_BLOCKS / 4,
	   "never most of memory at once");
	is_int(block_nr_to_split(&t, 1, 1 << 20), 1, "nor more than there are");
	for (uint64_t b = 0; b < first; b++)
		block_set_split(&t, b, 1, IDLE);
	is_int(block_nr_to_split(&t, NR_BLOCKS, 512), 0,
	       "what is being looked at counts");
	for (uint64_t b = 0; b < 80; b++)
		block_judge(&t, b, BLOCK_PAGES - 52);
	later = block_nr_to_split(&t, NR_BLOCKS, 512);
	ok(later >= 1 && later <= 2, "where nine tenths are idle, fewer: %d",
	   (int)later);
	block_table_destroy(&t);
}

static void test_look(void)
{
	struct block_table t = new_table();
	uint32_t scan = 10, over;
	unsigned int waits[4];

	ok(block_may_split(&t, 0, scan), "a block may be split");
	ok(!block_should_wait(&t, scan), "nothing to wait for");
	over = look(&t, 0, scan);
	ok(over - scan > IDLE, "a look takes as long as pages need to be idle");
	ok(block_should_wait(&t, over - 1) && !block_should_wait(&t, over),
	   "a first look is worth waiting for, until it is over");
	ok(!block_may_split(&t, 0, over), "not while it is looked at");
	ok(!block_judge(&t, 0, BLOCK_PAGES / 2), "half idle: stays small");
	ok(!block_is_hot(&t, 0, over + 100, 256, 256, true), "and small");
	is_int(t.nr_looked_at, 0, "the look is over");

	scan = over + 100;
	ok(block_is_hot(&t, 0, scan, BLOCK_PAGES, BLOCK_PAGES, true),
	   "hot as a whole: huge again");
	block_set_huge(&t, 0, scan);
	ok(!block_may_split(&t, 0, scan + 1), "and not split at once");

	for (unsigned int i = 0; i < 4; i++) {
		scan = look(&t, 1, scan);
		ok(block_judge(&t, 1, 3), "a look in vain");
		block_set_huge(&t, 1, scan);
		for (waits[i] = 0; !block_may_split(&t, 1, scan); scan++)
			waits[i]++;
	}
	ok(waits[1] == 2 * waits[0] && waits[3] == 4 * waits[1],
	   "each makes the next wait twice as long: %u, %u, %u, %u scans",
	   waits[0], waits[1], waits[2], waits[3]);
	block_table_destroy(&t);
}

static void test_hot(void)
{
	static const struct {
		unsigned int resident, hot;
		bool wanted, huge;
		const char *what;
	} t[] = {
		{ 512, 512, true, true, "all hot" },
		{ 512, 448, true, true, "an eighth idle" },
		{ 512, 440, true, false, "more of it idle" },
		{ 440, 440, true, false, "more of it evicted" },
		{ 512, 0, true, false, "all idle" },
		{ 512, 0, false, true, "all idle, and no memory is wanted" },
		{ 384, 0, false, true, "three quarters filled" },
		{ 383, 383, false, false, "less is filled" },
	};
	struct block_table table = new_table();

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		is_int(block_is_hot(&table, 0, 1, t[i].resident, t[i].hot,
				    t[i].wanted), t[i].huge, t[i].what);
	block_set_failed(&table, 0, 1);
	ok(!block_is_hot(&table, 0, 2, 512, 512, true) &&
	   block_is_hot(&table, 0, 50, 512, 512, true),
	   "after a failure it is tried again, later");
	block_table_destroy(&table);
}

int main(void)
{
	test_price();
	test_amount();
	test_look();
	test_hot();
	return tap_done();
}
