/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_UTIL_UNIX_SOCKET_H
#define VMM_UTIL_UNIX_SOCKET_H

/*
 * Connects to the unix stream socket at path, without waiting.  Returns a
 * non-blocking descriptor, close-on-exec, or -errno: -ENAMETOOLONG,
 * -ECONNREFUSED (no listener), -EAGAIN (the listener's backlog is full), ...
 */
int unix_connect(const char *path);

#endif
