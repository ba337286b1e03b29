// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random numbers, a random permutation and a Zipf distribution, in integers
 * (the payload has no floating point).
 */
#include "tests/payload/payload.h"

/* A counter stepped by an odd constant, its bits then mixed (a bijection). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t rng_next(struct rng *rng)
{
	rng->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(rng->state);
}

uint64_t rng_below(struct rng *rng, uint64_t below)
{
	return (uint64_t)((unsigned __int128)rng_next(rng) * below >> 64);
}

/*
 * Multiplying by an odd number and xor-ing the upper half into the lower are
 * bijections of b-bit numbers; results outside 0..n-1 go round again until
 * they fall inside, which keeps the whole a bijection of 0..n-1.
 */
uint64_t permute(uint64_t i, uint64_t n, uint64_t seed)
{
	unsigned int bits = 1;
	uint64_t mask, odd = mix(seed) | 1, add = mix(seed + 1);

	if (n < 2)
		return 0;
	bits = 64 - (unsigned int)__builtin_clzll(n - 1);
	mask = (UINT64_C(1) << bits) - 1;
	do {
		i = (i * odd + add) & mask;
		i ^= i >> (bits / 2 + 1);
		i = i * UINT64_C(0xd6e8feb86659fd93) & mask;
		i ^= i >> (bits / 2 + 1);
	} while (i >= n);
	return i;
}

/*
 * For exponent 1 the number of draws up to rank x grows as ln x, so the rank
 * is n^u = 2^(u log2 n) with u uniform in [0, 1).  exp2_table[i] is 2^(i/256)
 * in units of 2^-32, with linear interpolation between entries (relative
 * error below 10^-6).
 */
static uint64_t exp2_table[257];

static void build_exp2_table(void)
{
	/* 2^(1/256) in units of 2^-62 */
	const uint64_t step = UINT64_C(4624189567668517720);
	uint64_t value = UINT64_C(1) << 62;

	for (int i = 0; i < 256; i++) {
		exp2_table[i] = value >> 30;
		value = (uint64_t)((unsigned __int128)value * step >> 62);
	}
	exp2_table[256] = UINT64_C(2) << 32;
}

/* log2 of n in units of 2^-32, by squaring: a bit of the result a step. */
static uint64_t log2_fixed(uint64_t n)
{
	unsigned int whole = 63 - (unsigned int)__builtin_clzll(n);
	uint64_t m = n << (63 - whole);		/* 1.xxx in units of 2^-63 */
	uint64_t result = whole;

	for (int i = 0; i < 32; i++) {
		unsigned __int128 square = (unsigned __int128)m * m >> 63;

		result <<= 1;
		if (square >> 64) {
			result |= 1;
			square >>= 1;
		}
		m = (uint64_t)square;
	}
	return result;
}

void zipf_init(struct zipf *zipf, uint64_t n)
{
	if (!exp2_table[0])
		build_exp2_table();
	zipf->n = n;
	zipf->log2_n = n < 2 ? 0 : log2_fixed(n);
}

uint64_t zipf_next(const struct zipf *zipf, struct rng *rng)
{
	uint64_t power, frac, low, high, rank;
	unsigned int i;

	if (zipf->n < 2)
		return 0;
	power = (uint64_t)((unsigned __int128)rng_next(rng) * zipf->log2_n
			   >> 64);
	i = power >> 24 & 0xff;
	frac = power & 0xffffff;
	low = exp2_table[i];
	high = exp2_table[i + 1];
	low += (high - low) * frac >> 24;
	rank = (uint64_t)(((unsigned __int128)low << (power >> 32)) >> 32) - 1;
	return rank < zipf->n ? rank : zipf->n - 1;
}
