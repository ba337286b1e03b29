/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of the control and statistics socket, for vmm's own commands.
 * What listens there may hang, or be no VM at all: so an answer has a timeout
 * of 10 seconds and a limit of 1 MiB, of /process 8 MiB and of /processes and
 * /wss 16 MiB; a stream has the same timeout for its beginning, and a limit of
 * 4 MiB a line.
 */
#ifndef VMM_CLIENT_CLIENT_H
#define VMM_CLIENT_CLIENT_H

#include <stddef.h>

#include <jansson.h>

/*
 * One request.  body NULL: GET, else PUT with that JSON.  Returns 0 and a new
 * reference in *answer, or -errno with why: no connection, as nobody listens or
 * without permission (-ECONNREFUSED), an error from the VM (-EINVAL), no answer
 * in time (-ETIMEDOUT), an answer that is too long or not a VM's (-EPROTO), a
 * broken connection (-EIO), -ENOMEM.
 */
int stat_request(const char *socket, const char *path, const json_t *body,
		 json_t **answer, char *why, size_t len);

/* As above, with a timeout of its own. */
int stat_request_within(const char *socket, const char *path,
			const json_t *body, unsigned int timeout_ms,
			json_t **answer, char *why, size_t len);

/* As stat_request(), but POST, without a body. */
int stat_post(const char *socket, const char *path, json_t **answer, char *why,
	      size_t len);

/*
 * Calls on_line for each JSON line of a streaming resource until it returns
 * non-zero or the VM ends.  0 or -errno as above.
 */
int stat_stream(const char *socket, const char *path,
		int (*on_line)(json_t *line, void *arg), void *arg, char *why,
		size_t len);

#endif
