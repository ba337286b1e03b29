/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resources released at the end of a scope: __cleanup_free char *p = NULL; */
#ifndef VMM_UTIL_CLEANUP_H
#define VMM_UTIL_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fn(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define __cleanup_free	 __attribute__((cleanup(cleanup_free_fn)))
#define __cleanup_close	 __attribute__((cleanup(cleanup_close_fn)))
#define __cleanup_fclose __attribute__((cleanup(cleanup_fclose_fn)))

#endif
