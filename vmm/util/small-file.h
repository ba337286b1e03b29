/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files, such as those of /proc and /sys.  All functions return -errno on
 * failure and then leave their output untouched, except for text buffers.
 */
#ifndef VMM_UTIL_SMALL_FILE_H
#define VMM_UTIL_SMALL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Reads the file, or its first len - 1 bytes, and appends a NUL.  Returns the
 * number of bytes.  dir_fd: as for openat().
 */
ssize_t small_file_read(const char *path, char *buf, size_t len);
ssize_t small_file_read_at(int dir_fd, const char *path, char *buf, size_t len);

/*
 * Reads the first line without its newline, truncated to buf.  0; -ENODATA:
 * none.
 */
int small_file_line(const char *path, char *buf, size_t len);

/* Reads the number at the start of a file.  0; -EINVAL: there is none. */
int small_file_number(const char *path, uint64_t *number);

/*
 * The rest of the first line that begins with key ("SwapFree:"), without
 * leading blanks.  0; -ENOENT: no file or no such line.
 */
int small_file_field(const char *path, const char *key, char *buf, size_t len);

/* The same for "N kB", in bytes.  0; -EINVAL: another format. */
int small_file_field_kib(const char *path, const char *key, uint64_t *bytes);

/* Closes a file that was written.  -errno: not everything was written. */
int file_close(FILE *f);

#endif
