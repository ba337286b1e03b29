/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_ERROR_TEXT_H
#define VMM_UTIL_ERROR_TEXT_H

#include <stdbool.h>

/*
 * strerror() for messages; for the limits of open files (EMFILE, ENFILE) a text
 * with the remedy, which is the same whatever was to be opened.
 */
const char *error_text(int error);
/* One of these two: another path, or another device, does not help. */
bool error_is_fd_limit(int error);

#endif
