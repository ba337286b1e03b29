// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/top/host.h"
#include "vmm/util/small-file.h"

/* The rest of the line that begins with name; NULL: there is none. */
static const char *find_line(const char *text, const char *name)
{
	size_t n = strlen(name);

	while (text && *text) {
		if (!strncmp(text, name, n))
			return text + n;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return NULL;
}

static uint64_t kib(const char *meminfo, const char *name)
{
	const char *at = find_line(meminfo, name);
	unsigned long long n = 0;

	if (at)
		sscanf(at, " %llu kB", &n);
	return (uint64_t)n << 10;
}

static bool avg10(const char *pressure, const char *name, double *value)
{
	const char *at = find_line(pressure, name);

	return at && sscanf(at, " avg10=%lf", value) == 1;
}

void top_host_parse(const char *meminfo, const char *pressure,
		    struct top_host *h)
{
	*h = (struct top_host){
		.mem_total = kib(meminfo, "MemTotal:"),
		.mem_available = kib(meminfo, "MemAvailable:"),
		.swap_total = kib(meminfo, "SwapTotal:"),
		.swap_free = kib(meminfo, "SwapFree:"),
	};
	h->has_psi = avg10(pressure, "some", &h->psi_some) &&
		     avg10(pressure, "full", &h->psi_full);
}

/* Both files are far shorter than buf; NULL: missing or not permitted. */
static const char *read_file(const char *path, char *buf, size_t len)
{
	return small_file_read(path, buf, len) < 0 ? NULL : buf;
}

void top_host_read(struct top_host *h)
{
	char meminfo[8192], pressure[512];

	top_host_parse(read_file("/proc/meminfo", meminfo, sizeof(meminfo)),
		       read_file("/proc/pressure/memory", pressure,
				 sizeof(pressure)), h);
}
