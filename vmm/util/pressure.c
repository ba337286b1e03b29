// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/util/pressure.h"

static int read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return n < 0 ? n : 0;
}

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
	int rc = read_text("/proc/pressure/memory", text, sizeof(text));

	return rc ? rc : pressure_parse_psi(text);
}

int64_t pressure_available(void)
{
	char text[512];
	int rc = read_text("/proc/meminfo", text, sizeof(text));

	return rc ? rc : pressure_parse_available(text);
}
