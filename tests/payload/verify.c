// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A page's content: 128 words that all differ, then 384 equal ones, so that it
 * compresses to about a third, like ordinary data.
 */
#include "tests/payload/payload.h"

#define PAGE_WORDS	512
#define DIFFERENT_WORDS	128

static uint64_t page_base(uint32_t id, uint64_t index, uint32_t counter)
{
	uint64_t x = index * UINT64_C(0x9e3779b97f4a7c15);

	x ^= ((uint64_t)id << 32 | counter) * UINT64_C(0xd1342543de82ef95);
	x = (x ^ x >> 32) * UINT64_C(0xaf251af3b0f025b5);
	return x ^ x >> 29;
}

static uint64_t page_word(uint64_t base, uint64_t i)
{
	if (i >= DIFFERENT_WORDS)
		return ~base;
	base += i * UINT64_C(0xc2b2ae3d27d4eb4f);
	return base ^ base >> 31;
}

void page_write(uint64_t *page, uint32_t id, uint64_t index, uint32_t counter)
{
	uint64_t base = page_base(id, index, counter);
	uint64_t *rest = page + DIFFERENT_WORDS;
	uint64_t nr = PAGE_WORDS - DIFFERENT_WORDS;

	for (uint64_t i = 0; i < DIFFERENT_WORDS; i++)
		page[i] = page_word(base, i);
	__asm__ volatile("rep stosq"
			 : "+D"(rest), "+c"(nr) : "a"(~base) : "memory");
}

bool page_is(const uint64_t *page, uint32_t id, uint64_t index,
	     uint32_t counter)
{
	uint64_t base = page_base(id, index, counter), wrong = 0;

	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		wrong |= page[i] ^ page_word(base, i);
	return !wrong;
}

bool page_word_is(const uint64_t *page, uint32_t id, uint64_t index,
		  uint32_t counter, uint64_t which)
{
	which %= PAGE_WORDS;
	return page[which] ==
	       page_word(page_base(id, index, counter), which);
}
