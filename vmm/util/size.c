// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/util/size.h"

bool number_parse(const char *text, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, strncasecmp(text, "0x", 2) ? 10 : 16);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

int size_parse(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "kmgt";
	unsigned long long n;
	unsigned int shift = 0;
	const char *suffix;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (suffix) {
			shift = 10 * (suffix - suffixes + 1);
			end++;
		}
		if (*end && strcasecmp(end, "b") &&
		    (!shift || strcasecmp(end, "ib")))
			return -EINVAL;
	}
	if (shift && n >> (64 - shift))
		return -ERANGE;
	*bytes = (uint64_t)n << shift;
	return 0;
}

char *size_format(uint64_t bytes, char *buf, size_t len)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = bytes;
	unsigned int i = 0;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	snprintf(buf, len, i && v < 100 ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}
