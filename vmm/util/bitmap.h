/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bitmaps of 64-bit words.  Bit i is bit (i % 64) of word i / 64, which on
 * little-endian machines is also how the kernel lays out bitmaps for user
 * space.  Not atomic; the owner of the bitmap serialises.
 */
#ifndef VMM_UTIL_BITMAP_H
#define VMM_UTIL_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

/* A zeroed bitmap for nbits bits, or NULL.  Freed with free(). */
static inline uint64_t *bitmap_new(uint64_t nbits)
{
	return calloc(BITMAP_WORDS(nbits) + !nbits, sizeof(uint64_t));
}

static inline bool bitmap_test(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t i)
{
	map[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bitmap_clear(uint64_t *map, uint64_t i)
{
	map[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* The bits of word `word` that lie inside [start, end). */
static inline uint64_t bitmap_word_mask(uint64_t word, uint64_t start,
					uint64_t end)
{
	uint64_t mask = ~UINT64_C(0);

	if (start > word * 64)
		mask &= ~UINT64_C(0) << (start - word * 64);
	if (end < word * 64 + 64)
		mask &= ~UINT64_C(0) >> (word * 64 + 64 - end);
	return mask;
}

static inline void bitmap_set_range(uint64_t *map, uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++)
		map[w] |= bitmap_word_mask(w, start, end);
}

static inline void bitmap_clear_range(uint64_t *map, uint64_t start,
				      uint64_t end)
{
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++)
		map[w] &= ~bitmap_word_mask(w, start, end);
}

/* Copies bits [start, end) from `from` to `to`; other bits are unchanged. */
static inline void bitmap_copy_range(uint64_t *to, const uint64_t *from,
				     uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t mask = bitmap_word_mask(w, start, end);

		to[w] = (to[w] & ~mask) | (from[w] & mask);
	}
}

/* The number of set bits in [start, end). */
static inline uint64_t bitmap_count(const uint64_t *map, uint64_t start,
				    uint64_t end)
{
	uint64_t n = 0;

	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++)
		n += __builtin_popcountll(map[w] &
					  bitmap_word_mask(w, start, end));
	return n;
}

/* First set bit in [start, end), or end. */
static inline uint64_t bitmap_next(const uint64_t *map, uint64_t start,
				   uint64_t end)
{
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t bits = map[w] & bitmap_word_mask(w, start, end);

		if (bits)
			return w * 64 + __builtin_ctzll(bits);
	}
	return end;
}

/* First clear bit in [start, end), or end. */
static inline uint64_t bitmap_next_zero(const uint64_t *map, uint64_t start,
					uint64_t end)
{
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++) {
		uint64_t bits = ~map[w] & bitmap_word_mask(w, start, end);

		if (bits)
			return w * 64 + __builtin_ctzll(bits);
	}
	return end;
}

#endif
