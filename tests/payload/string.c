// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions that the compiler may call; string instructions are fast
 * everywhere.
 */
#include "tests/payload/payload.h"

void *memcpy(void *to, const void *from, size_t len)
{
	void *start = to;

	__asm__ volatile("rep movsb"
			 : "+D"(to), "+S"(from), "+c"(len) : : "memory");
	return start;
}

void *memset(void *to, int c, size_t len)
{
	void *start = to;

	__asm__ volatile("rep stosb"
			 : "+D"(to), "+c"(len) : "a"(c) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const unsigned char *x = a, *y = b;

	for (; len; len--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}
