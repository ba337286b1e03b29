/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_LISTEN_H
#define VMM_UTIL_LISTEN_H

#include <stddef.h>

/*
 * Listens on a unix stream socket at path, mode 0600, non-blocking.  A socket
 * that nobody listens on any more is replaced; anything else that exists there
 * stays.  Of several processes that do this at once for one path one listens.
 * Returns the fd or -errno (-EADDRINUSE, -EEXIST, ...), and why says what is
 * wrong and that `option` chooses another path.
 *
 * At the end unlink(path) comes before close(): a socket that is closed may be
 * replaced by another process, whose socket would be unlinked then.
 */
int unix_listen(const char *path, const char *option, char *why, size_t len);

#endif
