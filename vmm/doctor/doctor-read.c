// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads small files in /proc and /sys, below the given root. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/small-file.h"

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

FILE *doctor_fopen(const struct doctor *d, const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	if (!err)
		return fopen(path, "re");
	errno = -err;
	return NULL;
}

int doctor_line(const struct doctor *d, char *buf, size_t len, const char *fmt,
		...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return err ? err : small_file_line(path, buf, len);
}

int doctor_number(const struct doctor *d, uint64_t *v, const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return err ? err : small_file_number(path, v);
}

int doctor_choice(const struct doctor *d, char *buf, size_t len,
		  const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN], line[256], *start, *end;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	if (!err)
		err = small_file_line(path, line, sizeof(line));
	if (err)
		return err;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end)
		return -EINVAL;
	snprintf(buf, len, "%.*s", (int)(end - start - 1), start + 1);
	return 0;
}

int doctor_field(const struct doctor *d, char *buf, size_t len,
		 const char *key, const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return err ? err : small_file_field(path, key, buf, len);
}

int doctor_field_kib(const struct doctor *d, uint64_t *bytes, const char *key,
		     const char *fmt, ...)
{
	char path[DOCTOR_PATH_LEN];
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = make_path(d, path, fmt, ap);
	va_end(ap);
	return err ? err : small_file_field_kib(path, key, bytes);
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

bool doctor_has_cap(const struct doctor *d, int cap)
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
