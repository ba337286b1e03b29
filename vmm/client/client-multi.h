/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to many VMs at once, in one thread: a VM that hangs does not delay
 * the others.  Not for use by several threads.
 */
#ifndef VMM_CLIENT_CLIENT_MULTI_H
#define VMM_CLIENT_CLIENT_MULTI_H

#include <stddef.h>

#include <jansson.h>

struct stat_multi;

/* NULL: no memory. */
struct stat_multi *stat_multi_new(void);
/* Pending requests end without a call of their callback. */
void stat_multi_free(struct stat_multi *multi);

/*
 * rc and why as of stat_request(); the callee must decref answer, which is NULL
 * if rc is not 0.
 */
typedef void stat_multi_fn(void *arg, int rc, json_t *answer, const char *why);

/*
 * Starts a request as stat_request() would make it, and returns.
 * stat_multi_wait() calls done once, after timeout_ms at the latest.  0; or
 * -ENOMEM, and then done is not called.
 */
int stat_multi_start(struct stat_multi *multi, const char *socket,
		     const char *path, const json_t *body, long timeout_ms,
		     stat_multi_fn *done, void *arg);

/*
 * Continues all requests until something happens: a request makes progress, one
 * of the fds (at most 4) can be read, timeout_ms have passed.  0 or -errno.
 */
int stat_multi_wait(struct stat_multi *multi, const int *fds, size_t nr_fds,
		    int timeout_ms);

#endif
