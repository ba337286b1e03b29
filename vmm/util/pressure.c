// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/util/pressure.h"
#include "vmm/util/small-file.h"

int pressure_parse_psi(const char *text)
{
	unsigned int whole, hundredths;

	if (sscanf(text, "some avg10=%3u.%2u", &whole, &hundredths) != 2)
		return -EINVAL;
	return whole * 100 + hundredths;
}

int64_t pressure_parse_available(const char *text)
{
	const char *at = strstr(text, "\nMemAvailable:");
	long long kib;

	if (!at || sscanf(at, "\nMemAvailable: %lld kB", &kib) != 1)
		return -EINVAL;
	return kib * 1024;
}

int pressure_memory(void)
{
	char text[256];
	ssize_t n = small_file_read("/proc/pressure/memory", text, sizeof(text));

	return n < 0 ? n : pressure_parse_psi(text);
}

int64_t pressure_available(void)
{
	char text[512];
	ssize_t n = small_file_read("/proc/meminfo", text, sizeof(text));

	return n < 0 ? n : pressure_parse_available(text);
}
