/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_HOST_LISTEN_H
#define VMM_HOST_LISTEN_H

#include <stddef.h>

/*
 * Listens on a unix stream socket at path, mode 0600, non-blocking.  A socket
 * that nobody listens on any more is replaced; anything else that exists there
 * stays.  Returns the fd or -errno (-EADDRINUSE, -EEXIST, ...), and why says
 * what is wrong and that `option` chooses another path.
 */
int unix_listen(const char *path, const char *option, char *why, size_t len);

#endif
