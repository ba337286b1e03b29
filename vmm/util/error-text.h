/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_ERROR_TEXT_H
#define VMM_UTIL_ERROR_TEXT_H

#include <stdbool.h>

/*
 * strerror() for messages, with the remedy where any call that makes a
 * descriptor may fail, whatever it opens: for limits of open files.
 */
const char *error_text(int error);
/* Such an error: another path, or another device, does not help. */
bool error_is_fd_limit(int error);

#endif
