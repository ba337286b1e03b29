// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the small files of /proc and /sys, below the root that was given. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/cleanup.h"

__attribute__((format(printf, 3, 0)))
static int make_path(const struct doctor *d, char path[DOCTOR_PATH_LEN],
		     const char *fmt, va_list ap)
{
	int used = snprintf(path, DOCTOR_PATH_LEN, "%s", d->root);
	int n = vsnprintf(path + used, DOCTOR_PATH_LEN - used, fmt, ap);

	return n < DOCTOR_PATH_LEN - used ? 0 : -ENAMETOOLONG;
}

int doctor_path(const struct doctor *d, char path[DOCTOR_PATH_LEN],
		const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return err;
}

bool doctor_has(const struct doctor *d, const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return !err && !access(path, F_OK);
}

__attribute__((format(printf, 2, 0)))
static FILE *open_file(const struct doctor *d, const char *fmt, va_list ap)
{
	char path[DOCTOR_PATH_LEN];
	int err = make_path(d, path, fmt, ap);

	if (err) {
		errno = -err;
		return NULL;
	}
	return fopen(path, "re");
}

FILE *doctor_fopen(const struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	f = open_file(d, fmt, ap);
	va_end(ap);
	return f;
}

__attribute__((format(printf, 4, 0)))
static int first_line(const struct doctor *d, char *buf, size_t len,
		      const char *fmt, va_list ap)
{
	__cleanup_fclose FILE *f = open_file(d, fmt, ap);

	if (!f)
		return -errno;
	errno = 0;
	if (!fgets(buf, len, f))
		return errno ? -errno : -ENODATA;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int doctor_line(const struct doctor *d, char *buf, size_t len, const char *fmt,
		...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = first_line(d, buf, len, fmt, ap);
	va_end(ap);
	return err;
}

int doctor_number(const struct doctor *d, uint64_t *v, const char *fmt, ...)
{
	char buf[64], *end;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = first_line(d, buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (err)
		return err;
	errno = 0;
	*v = strtoull(buf, &end, 0);
	return errno ? -errno : end == buf ? -EINVAL : 0;
}

int doctor_choice(const struct doctor *d, char *buf, size_t len,
		  const char *fmt, ...)
{
	char line[256], *start, *end;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = first_line(d, line, sizeof(line), fmt, ap);
	va_end(ap);
	if (err)
		return err;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end)
		return -EINVAL;
	snprintf(buf, len, "%.*s", (int)(end - start - 1), start + 1);
	return 0;
}

__attribute__((format(printf, 5, 0)))
static int find_field(const struct doctor *d, char *buf, size_t len,
		      const char *key, const char *fmt, va_list ap)
{
	__cleanup_fclose FILE *f = open_file(d, fmt, ap);
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

int doctor_field(const struct doctor *d, char *buf, size_t len,
		 const char *key, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = find_field(d, buf, len, key, fmt, ap);
	va_end(ap);
	return err;
}

int doctor_field_kib(const struct doctor *d, uint64_t *bytes, const char *key,
		     const char *fmt, ...)
{
	unsigned long long kib;
	char buf[64];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = find_field(d, buf, sizeof(buf), key, fmt, ap);
	va_end(ap);
	if (err)
		return err;
	if (sscanf(buf, "%llu kB", &kib) != 1)
		return -EINVAL;
	*bytes = kib * 1024;
	return 0;
}

bool doctor_has_word(const char *text, const char *word,
		     const char *separators)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, separators);

		if (n == len && !memcmp(text, word, len))
			return true;
		text += n;
		text += strspn(text, separators);
	}
	return false;
}

bool doctor_can(const struct doctor *d, int cap)
{
	return d->caps >> cap & 1;
}

int doctor_read_fds(const struct doctor *d, const char *pid,
		    struct doctor_fds *fds)
{
	char path[DOCTOR_PATH_LEN], target[64];
	const struct dirent *e;
	DIR *dir;
	int err = doctor_path(d, path, "/proc/%s/fd", pid);

	if (err)
		return err;
	dir = opendir(path);
	if (!dir)
		return -errno;
	*fds = (struct doctor_fds){ 0 };
	while ((e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target,
				       sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		fds->nr_vms += !strcmp(target, "anon_inode:kvm-vm");
		fds->nr_vfio += !strncmp(target, "/dev/vfio/", 10) ||
				!strcmp(target, "anon_inode:[vfio-device]");
	}
	closedir(dir);
	return 0;
}
