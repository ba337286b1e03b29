/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_UNIX_SOCKET_H
#define VMM_UTIL_UNIX_SOCKET_H

/*
 * Connects to the unix stream socket at path, without waiting.  Returns a
 * non-blocking descriptor, close-on-exec, or -errno: -ENAMETOOLONG,
 * -ECONNREFUSED (nobody listens any more), -EAGAIN (somebody listens, and has
 * many waiting already), ...
 */
int unix_connect(const char *path);

#endif
