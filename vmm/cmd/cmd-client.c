// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/client/client.h"
#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/cmd.h"
#include "vmm/util/log.h"
#include "vmm/util/printable.h"
#include "vmm/util/rundir.h"

static int parse(struct client *c, const struct poptOption *options,
		 const char *args, int min_args, int max_args)
{
	const char **words;
	int rc, nr = 0;

	poptSetOtherOptionHelp(c->popt, args);
	rc = cmd_next_option(c->popt, options);
	if (rc < -1)
		return cmd_bad_option(c->popt, rc);
	words = poptGetArgs(c->popt);
	while (words && words[nr])
		nr++;
	if (nr < min_args || nr > max_args) {
		poptPrintUsage(c->popt, stderr, 0);
		return VMM_EXIT_USAGE;
	}
	return VMM_EXIT_OK;
}

int client_open(struct client *c, const struct poptOption *options, int argc,
		char **argv, const char *args, int min_args, int max_args)
{
	char why[512];
	int rc;

	c->popt = poptGetContext(argv[0], argc, (const char **)argv, options, 0);
	rc = parse(c, options, args, min_args, max_args);
	if (rc)
		return rc;
	if (c->socket) {
		if (strlen(c->socket) >= sizeof(c->path)) {
			log_error("the socket path %s is longer than 107 bytes",
				  c->socket);
			return VMM_EXIT_USAGE;
		}
		strcpy(c->path, c->socket);
		return VMM_EXIT_OK;
	}
	if (rundir_find_socket(c->name, c->path, sizeof(c->path), why,
			       sizeof(why))) {
		log_error("%s", why);
		return VMM_EXIT_FAILURE;
	}
	return VMM_EXIT_OK;
}

void client_close(struct client *c)
{
	poptFreeContext(c->popt);
	free(c->name);
	free(c->socket);
}

/* The guest chooses its processes' names, and they go to a terminal. */
static void make_printable(json_t *json)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(json))
		printable_make((char *)json_string_value(json));
	json_array_foreach(json, i, v)
		make_printable(v);
	json_object_foreach(json, key, v)
		make_printable(v);
}

static json_t *take(struct client *c, json_t *answer)
{
	if (!c->json)
		make_printable(answer);
	return answer;
}

json_t *client_request(struct client *c, const char *path, const json_t *body)
{
	json_t *answer;
	char why[512];

	if (stat_request(c->path, path, body, &answer, why, sizeof(why))) {
		log_error("%s", why);
		return NULL;
	}
	return take(c, answer);
}

json_t *client_post(struct client *c, const char *path)
{
	json_t *answer;
	char why[512];

	if (stat_post(c->path, path, &answer, why, sizeof(why))) {
		log_error("%s", why);
		return NULL;
	}
	return take(c, answer);
}

json_t *client_expect(struct client *c, json_t *answer, const char *member)
{
	if (!answer || json_object_get(answer, member))
		return answer;
	log_error("%s: the answer has no '%s'; check that this is the socket "
		  "of a VM",
		  c->path, member);
	json_decref(answer);
	return NULL;
}

void client_print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

long long client_int(const json_t *json, const char *section, const char *name)
{
	const json_t *o = section ? json_object_get(json, section) : json;

	return json_integer_value(json_object_get(o, name));
}

const char *client_string(const json_t *json, const char *section,
			  const char *name)
{
	const json_t *o = section ? json_object_get(json, section) : json;

	return client_text(json_object_get(o, name));
}

const char *client_text(const json_t *json)
{
	const char *s = json_string_value(json);

	return s ? s : "";
}
