/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files, such as those of /proc and /sys.  All functions return -errno on
 * failure, and leave what they would have filled in untouched then, except for
 * text buffers.
 */
#ifndef VMM_UTIL_SMALL_FILE_H
#define VMM_UTIL_SMALL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The file, or its first len - 1 bytes, and a NUL.  Returns the number of bytes.
 * dir_fd: as for openat().
 */
ssize_t small_file_read(const char *path, char *buf, size_t len);
ssize_t small_file_read_at(int dir_fd, const char *path, char *buf, size_t len);

/* The first line without its end, cut where buf is full.  0; -ENODATA: none. */
int small_file_line(const char *path, char *buf, size_t len);

/* A file that begins with a number.  0; -EINVAL: it does not. */
int small_file_number(const char *path, uint64_t *number);

/*
 * The rest of the first line that begins with key ("SwapFree:"), without blanks
 * before it.  0; -ENOENT: no such line either.
 */
int small_file_field(const char *path, const char *key, char *buf, size_t len);

/* The same of "N kB", in bytes.  0; -EINVAL: it is not like that. */
int small_file_field_kib(const char *path, const char *key, uint64_t *bytes);

#endif
