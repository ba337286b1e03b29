/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limit of open files: descriptors opened on behalf of guests must not use
 * up those that the process itself needs, for clients of its socket, /proc and
 * /sys.
 */
#ifndef VMM_UTIL_FD_LIMIT_H
#define VMM_UTIL_FD_LIMIT_H

/* Maximum to which the soft limit is raised. */
#define FD_LIMIT_MOST	  8192
/* Reserved for the process itself, and 64 clients of its socket. */
#define FD_LIMIT_RESERVED 256

/*
 * Raises the soft limit of open files to the hard one, at most to FD_LIMIT_MOST;
 * never lowers it.  Called at the start, before there are guests.
 */
void fd_limit_raise(void);
/* How many more descriptors may be opened for guests now. */
unsigned int fd_limit_for_guests(void);
/* How many more may be opened now, for any purpose. */
unsigned int fd_limit_left(void);

#endif
