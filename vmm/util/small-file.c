// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/small-file.h"

ssize_t small_file_read_at(int dir_fd, const char *path, char *buf, size_t len)
{
	__cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* One read() may return a part of a file of /proc. */
	while (used < len - 1) {
		n = read(fd, buf + used, len - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		used += n;
	}
	buf[used] = '\0';
	return used;
}

ssize_t small_file_read(const char *path, char *buf, size_t len)
{
	return small_file_read_at(AT_FDCWD, path, buf, len);
}

int small_file_line(const char *path, char *buf, size_t len)
{
	__cleanup_fclose FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	errno = 0;
	if (!fgets(buf, len, f))
		return errno ? -errno : -ENODATA;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int small_file_number(const char *path, uint64_t *number)
{
	char buf[64], *end;
	uint64_t v;
	int rc = small_file_line(path, buf, sizeof(buf));

	if (rc)
		return rc;
	errno = 0;
	v = strtoull(buf, &end, 0);
	if (errno)
		return -errno;
	if (end == buf)
		return -EINVAL;
	*number = v;
	return 0;
}

int small_file_field(const char *path, const char *key, char *buf, size_t len)
{
	__cleanup_fclose FILE *f = fopen(path, "re");
	size_t key_len = strlen(key);
	char line[1024];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, key_len))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, len, "%s",
			 line + key_len + strspn(line + key_len, " \t"));
		return 0;
	}
	return -ENOENT;
}

int small_file_field_kib(const char *path, const char *key, uint64_t *bytes)
{
	unsigned long long kib;
	char buf[64];
	int rc = small_file_field(path, key, buf, sizeof(buf));

	if (rc)
		return rc;
	if (sscanf(buf, "%llu kB", &kib) != 1)
		return -EINVAL;
	*bytes = kib * 1024;
	return 0;
}

int file_close(FILE *f)
{
	int rc = ferror(f) ? -EIO : 0;

	/* The rest is written only here: the disk may be full. */
	if (fclose(f) && !rc)
		rc = -errno;
	return rc;
}
