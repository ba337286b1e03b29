/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_SIZE_H
#define VMM_UTIL_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses a whole number: decimal, or hexadecimal after 0x.  False: it is none,
 * or does not fit 64 bits; *n is then undefined.
 */
bool number_parse(const char *text, uint64_t *n);

/*
 * Parses "4096", "64K", "512M", "2G", "1T" (powers of 1024; an optional "iB"
 * or "B" may follow; lower case is accepted).
 * Returns 0, -EINVAL (no such number or suffix, trailing text, sign) or
 * -ERANGE (does not fit 64 bits).  *bytes is untouched on failure.
 */
int size_parse(const char *text, uint64_t *bytes);

/* Writes e.g. "1.5 GiB" to buf; returns buf. */
char *size_format(uint64_t bytes, char *buf, size_t len);

#endif
