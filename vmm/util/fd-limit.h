/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files: a guest that makes us open some must not use up what we need
 * ourselves, for clients of our socket, for /proc and /sys.
 */
#ifndef VMM_UTIL_FD_LIMIT_H
#define VMM_UTIL_FD_LIMIT_H

/* As far as the soft limit is raised. */
#define FD_LIMIT_MOST	  8192
/* Not for guests: the process itself, and 64 clients of its socket. */
#define FD_LIMIT_RESERVED 256

/*
 * Raises the soft limit of open files to the hard one, at most to FD_LIMIT_MOST;
 * never lowers it.  At start, before there are guests.
 */
void fd_limit_raise(void);
/* How many descriptors guests may make us open now: what the limit leaves. */
unsigned int fd_limit_for_guests(void);
/* How many more may be open now, whoever opens them. */
unsigned int fd_limit_left(void);

#endif
