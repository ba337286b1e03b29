// SPDX-License-Identifier: GPL-2.0-or-later
/* The cheapest of many, by counting: exact numbers. */
#include "config.h"

#include <string.h>

#include "tests/tap.h"
#include "vmm/policy/choice.h"

static void test_table(void)
{
	/* Ranks: ten frames of 3, twenty of 7, five of 255. */
	static const struct {
		uint64_t wanted, want, taken[3];
	} t[] = {
		{ 0, 0, { 0, 0, 0 } },
		{ 1, 1, { 1, 0, 0 } },
		{ 10, 10, { 10, 0, 0 } },
		{ 11, 11, { 10, 1, 0 } },
		{ 30, 30, { 10, 20, 0 } },
		{ 34, 34, { 10, 20, 4 } },
		{ 35, 35, { 10, 20, 5 } },
		{ 1000, 35, { 10, 20, 5 } },
	};
	static const unsigned int rank[3] = { 3, 7, 255 };
	static const unsigned int nr[3] = { 10, 20, 5 };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct choice c = { .limit = 0 };
		uint64_t taken[3] = { 0 }, got;

		for (int k = 0; k < 3; k++)
			for (unsigned int n = 0; n < nr[k]; n++)
				choice_count(&c, rank[k]);
		got = choice_set_limit(&c, t[i].wanted);
		/* The dearest come first in the walk, and are not taken. */
		for (int k = 2; k >= 0; k--)
			for (unsigned int n = 0; n < nr[k]; n++)
				taken[k] += choice_take(&c, rank[k]);
		ok(got == t[i].want &&
		   !memcmp(taken, t[i].taken, sizeof(taken)),
		   "%d wanted: the cheapest %d", (int)t[i].wanted,
		   (int)t[i].want);
	}
}

int main(void)
{
	struct choice none = { .limit = 0 };

	test_table();
	is_int(choice_set_limit(&none, 7), 0, "of none there are none");
	return tap_done();
}
