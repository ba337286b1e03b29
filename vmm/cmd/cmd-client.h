/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the commands that talk to a running VM. */
#ifndef VMM_CMD_CMD_CLIENT_H
#define VMM_CMD_CMD_CLIENT_H

#include <stdbool.h>

#include <jansson.h>
#include <popt.h>

struct client {
	char *name, *socket;	/* options; malloc'ed by popt */
	int json;		/* option */
	char path[108];		/* the socket that serves this command */
	poptContext popt;
};

/* The options of every such command, first in its table. */
#define CLIENT_OPTIONS(c)                                                     \
	{ "name", 'n', POPT_ARG_STRING, &(c)->name, 0,                        \
	  "name of the VM, if several are running", "NAME" },                 \
	{ "socket", 's', POPT_ARG_STRING, &(c)->socket, 0,                    \
	  "socket of the VM, if it is not in the default directory", "PATH" },\
	{ "json", 'j', POPT_ARG_NONE, &(c)->json, 0,                          \
	  "print the VM's JSON answer", NULL }

/*
 * Parses the command line and finds the socket.  VMM_EXIT_OK, or the exit
 * status after reporting an error.  args: how many arguments may follow, and
 * their names in the usage.
 */
int client_open(struct client *c, const struct poptOption *options, int argc,
		char **argv, const char *args, int min_args, int max_args);
void client_close(struct client *c);

/*
 * GET, or PUT with a body; NULL after reporting an error.  Unless the answer is
 * to be printed as JSON, its strings have no control characters.  It may be any
 * JSON value: what listens there may not be a VM.
 */
json_t *client_request(struct client *c, const char *path,
		       const json_t *body);
json_t *client_post(struct client *c, const char *path);
/* Returns answer; or NULL, reported, if it is NULL or lacks the member. */
json_t *client_expect(struct client *c, json_t *answer, const char *member);
void client_print_json(const json_t *json);

/*
 * Member of a member, for integers: client_int(j, "engine", "nr_scans");
 * section NULL: member of json.  0 if it is missing.
 */
long long client_int(const json_t *json, const char *section,
		     const char *name);
/* Text of a string; "" for any other value. */
const char *client_text(const json_t *json);
const char *client_string(const json_t *json, const char *section,
			  const char *name);

#endif
