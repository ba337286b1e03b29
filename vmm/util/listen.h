/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_LISTEN_H
#define VMM_UTIL_LISTEN_H

#include <stddef.h>

/*
 * Listens on a unix stream socket at path, mode 0600, non-blocking.  A stale
 * socket, on which nobody listens, is replaced; anything else that exists there
 * is kept.  If several processes do this at once for one path, one of them gets
 * it.  Returns the fd or -errno (-EADDRINUSE, -EEXIST, ...), and why names the
 * problem and that `option` chooses another path.
 *
 * To end, call unlink(path) before close(): a closed socket may be replaced by
 * another process, whose socket would then be unlinked.
 */
int unix_listen(const char *path, const char *option, char *why, size_t len);

#endif
