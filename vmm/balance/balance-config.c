// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/balance/balance-config.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/key-value.h"
#include "vmm/util/size.h"

#define MAX_SHARES 1e6

static struct balance_rule *rule_of(struct balance_config *c, const char *name,
				    char *why, size_t len)
{
	struct balance_rule *r = (void *)balance_config_find(c, name);

	if (r)
		return r;
	if (!*name || *name == '.' || strchr(name, '/') ||
	    strlen(name) >= sizeof(r->name)) {
		snprintf(why, len, "'%s' is not a valid name of a VM: it must "
			 "not be empty, too long, begin with '.' or contain "
			 "'/'", name);
		return NULL;
	}
	if (c->nr_rules == BALANCE_MAX_GUESTS) {
		snprintf(why, len, "too many guests: at most %d are allowed",
			 BALANCE_MAX_GUESTS);
		return NULL;
	}
	r = &c->rules[c->nr_rules++];
	*r = (struct balance_rule){ .shares = 1 };
	strcpy(r->name, name);
	return r;
}

static int set_shares(const char *text, void *to)
{
	struct balance_rule *r = to;
	char *end;
	double shares = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end ||
	    !(shares > 0 && shares <= MAX_SHARES))
		return -EINVAL;
	r->shares = shares;
	return 0;
}

static int set_socket(const char *path, void *to)
{
	struct balance_rule *r = to;

	if (strlen(path) >= sizeof(r->socket))
		return -EINVAL;
	strcpy(r->socket, path);
	return 0;
}

#define RULE(member) KEY_MEMBER(struct balance_rule, member)
static const struct key rule_keys[] = {
	{ "shares", KEY_OTHER, .parse = set_shares,
	  .expects = "a number above 0 and up to 1000000" },
	{ "min", KEY_SIZE, RULE(min_bytes) },
	{ "max", KEY_SIZE, RULE(max_bytes) },
	{ "socket", KEY_OTHER, .parse = set_socket,
	  .expects = "a path of up to 107 characters" },
	{ .name = NULL },
};

_Static_assert(BALANCE_PATH_BYTES == 108, "as the message says");

#define CONFIG(member) KEY_MEMBER(struct balance_config, member)
static const struct key config_keys[] = {
	{ "target", KEY_SIZE, CONFIG(target_bytes) },
	{ "keep_free", KEY_SIZE, CONFIG(free_bytes) },
	{ "guests", KEY_OTHER, .expects = "an object" },
	{ .name = NULL },
};

int balance_config_guest(struct balance_config *c, const char *text, char *why,
			 size_t len)
{
	__cleanup_free char *copy = strdup(text);
	char *rest = copy;
	struct balance_rule *r;

	if (!copy) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	r = rule_of(c, strsep(&rest, ","), why, len);
	if (!r)
		return -EINVAL;
	return rest ? key_list_cut(rule_keys, rest, r, why, len) : 0;
}

/* Strings as on the command line; sizes and shares may also be numbers. */
static int json_member(const struct key *keys, const char *name,
		       const json_t *v, void *to, char *why, size_t len)
{
	__cleanup_free char *text = NULL;

	if (json_is_string(v))
		return key_set_text(keys, name, json_string_value(v), to, why,
				    len);
	text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	return key_set_text(keys, name, text ? text : "", to, why, len);
}

static int json_guests(struct balance_config *c, json_t *guests, char *why,
		       size_t len)
{
	const char *name, *key;
	json_t *guest, *v;
	int rc = 0;

	if (!json_is_object(guests)) {
		snprintf(why, len, "\"guests\" must be an object: "
			 "{\"NAME\": {\"shares\": 2}}");
		return -EINVAL;
	}
	json_object_foreach(guests, name, guest) {
		struct balance_rule *r = rule_of(c, name, why, len);

		if (!r)
			return -EINVAL;
		if (!json_is_object(guest)) {
			snprintf(why, len, "guest \"%s\" must be an object: "
				 "{\"shares\": 2}", name);
			return -EINVAL;
		}
		json_object_foreach(guest, key, v) {
			rc = json_member(rule_keys, key, v, r, why, len);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int take_json(struct balance_config *c, json_t *root, char *why,
		     size_t len)
{
	const char *key;
	json_t *v;
	int rc = 0;

	if (!json_is_object(root)) {
		snprintf(why, len, "the file must hold a JSON object");
		return -EINVAL;
	}
	json_object_foreach(root, key, v) {
		rc = !strcmp(key, "guests") ?
			json_guests(c, v, why, len) :
			json_member(config_keys, key, v, c, why, len);
		if (rc)
			return rc;
	}
	return 0;
}

int balance_config_file(struct balance_config *c, const char *path, char *why,
			size_t len)
{
	char reason[256];
	json_error_t err;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &err);
	int rc;

	if (!root) {
		snprintf(why, len, "%s: %s (line %d)", path, err.text,
			 err.line);
		return -EINVAL;
	}
	rc = take_json(c, root, reason, sizeof(reason));
	json_decref(root);
	if (rc)
		snprintf(why, len, "%s: %s", path, reason);
	return rc;
}

int balance_config_check(const struct balance_config *c, char *why, size_t len)
{
	uint64_t minima = 0;
	char a[16], b[16];

	for (unsigned int i = 0; i < c->nr_rules; i++) {
		const struct balance_rule *r = &c->rules[i];

		if (r->max_bytes && r->min_bytes > r->max_bytes) {
			snprintf(why, len, "guest %s: min=%s is above max=%s",
				 r->name,
				 size_format(r->min_bytes, a, sizeof(a)),
				 size_format(r->max_bytes, b, sizeof(b)));
			return -EINVAL;
		}
		if (__builtin_add_overflow(minima, r->min_bytes, &minima))
			minima = UINT64_MAX;
	}
	if (!c->target_bytes == !c->free_bytes) {
		snprintf(why, len, "give exactly one of --target SIZE, "
			 "for all guests together, and --keep-free SIZE, to "
			 "stay available on the host");
		return -EINVAL;
	}
	if (c->target_bytes && minima > c->target_bytes) {
		snprintf(why, len, "the sum of the guests' min= is %s, above "
			 "the target of %s: lower a min=, or raise --target",
			 size_format(minima, a, sizeof(a)),
			 size_format(c->target_bytes, b, sizeof(b)));
		return -EINVAL;
	}
	return 0;
}

const struct balance_rule *balance_config_find(const struct balance_config *c,
					       const char *name)
{
	for (unsigned int i = 0; i < c->nr_rules; i++)
		if (!strcmp(c->rules[i].name, name))
			return &c->rules[i];
	return NULL;
}
