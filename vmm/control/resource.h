/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resources that server.h lists, apart from HTTP itself. */
#ifndef VMM_CONTROL_RESOURCE_H
#define VMM_CONTROL_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "vmm/control/server.h"

#define STAT_MAX_BODY (64u << 10)

struct MHD_Connection;

/* One request while its body is received. */
struct control_request {
	struct MHD_Connection *connection;	/* has the query: ?name=value */
	int fd;			/* the connection's, during a job */
	struct stat_job *job;	/* owned; of a long request, else NULL */
	size_t len;
	char body[STAT_MAX_BODY + 1];
};

/* A resource's answer: a JSON value or, on error, status and why. */
struct control_answer {
	unsigned int status;
	json_t *json;		/* owned until it is formatted */
	char *text;		/* malloc'ed; NULL without memory */
	char why[256];
};

/*
 * Sets text to JSON and a newline, made of json or, on error, of why; takes
 * json.  text stays NULL if there is no memory, which is also why json is NULL
 * with status 200.
 */
void control_answer_format(struct control_answer *a);

/* A path ending in '/' takes the rest of the URL as its argument. */
struct stat_route {
	const char *path, *method;
	bool is_long;		/* examines much of the guest: see jobs.h */
	void (*answer)(const struct stat_server_config *config, const char *arg,
		       const struct control_request *req,
		       struct control_answer *a);
};

/* NULL with status and why: no such resource, or not with this method. */
const struct stat_route *stat_find_route(const char *url, const char *method,
					 const char **arg,
					 struct control_answer *a);

#endif
