// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/balance/config.h"
#include "vmm/util/cleanup.h"
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
		snprintf(why, len, "'%s' can't be the name of a VM", name);
		return NULL;
	}
	if (c->nr_rules == BALANCE_MAX_GUESTS) {
		snprintf(why, len, "more than %d guests", BALANCE_MAX_GUESTS);
		return NULL;
	}
	r = &c->rules[c->nr_rules++];
	*r = (struct balance_rule){ .shares = 1 };
	strcpy(r->name, name);
	return r;
}

static int set_size(const char *name, const char *text, uint64_t *bytes,
		    char *why, size_t len)
{
	if (!size_parse(text, bytes))
		return 0;
	snprintf(why, len, "%s='%s' is not a size like 512M", name, text);
	return -EINVAL;
}

static int set_shares(struct balance_rule *r, double shares, char *why,
		      size_t len)
{
	if (shares > 0 && shares <= MAX_SHARES) {
		r->shares = shares;
		return 0;
	}
	snprintf(why, len, "shares are a number above 0 and up to %.0f",
		 MAX_SHARES);
	return -EINVAL;
}

static int set_socket(struct balance_rule *r, const char *path, char *why,
		      size_t len)
{
	if (strlen(path) < sizeof(r->socket)) {
		strcpy(r->socket, path);
		return 0;
	}
	snprintf(why, len, "the socket path %s is too long", path);
	return -EINVAL;
}

/* One "KEY=VALUE". */
static int set_word(struct balance_rule *r, char *word, char *why, size_t len)
{
	char *value = strchr(word, '='), *end;
	double shares;

	if (value)
		*value++ = 0;
	else
		value = "";
	if (!strcmp(word, "shares")) {
		shares = strtod(value, &end);
		return set_shares(r, *value && !*end ? shares : -1, why, len);
	}
	if (!strcmp(word, "min"))
		return set_size(word, value, &r->min_bytes, why, len);
	if (!strcmp(word, "max"))
		return set_size(word, value, &r->max_bytes, why, len);
	if (!strcmp(word, "socket"))
		return set_socket(r, value, why, len);
	snprintf(why, len, "a guest has no '%s'; it has shares=, min=, max= "
		 "and socket=", word);
	return -EINVAL;
}

int balance_config_guest(struct balance_config *c, const char *text, char *why,
			 size_t len)
{
	__cleanup_free char *copy = strdup(text);
	char *rest = copy, *word;
	struct balance_rule *r;
	int rc = 0;

	if (!copy) {
		snprintf(why, len, "no memory");
		return -ENOMEM;
	}
	r = rule_of(c, strsep(&rest, ","), why, len);
	if (!r)
		return -EINVAL;
	while (!rc && (word = strsep(&rest, ",")))
		rc = set_word(r, word, why, len);
	return rc;
}

/* A size in JSON: a string, or bytes. */
static int json_size(const char *name, const json_t *v, uint64_t *bytes,
		     char *why, size_t len)
{
	if (json_is_string(v))
		return set_size(name, json_string_value(v), bytes, why, len);
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*bytes = json_integer_value(v);
		return 0;
	}
	snprintf(why, len, "\"%s\" must be a size like \"512M\", or bytes",
		 name);
	return -EINVAL;
}

static int json_member(struct balance_rule *r, const char *key,
		       const json_t *v, char *why, size_t len)
{
	if (!strcmp(key, "shares"))
		return set_shares(r, json_number_value(v), why, len);
	if (!strcmp(key, "min"))
		return json_size(key, v, &r->min_bytes, why, len);
	if (!strcmp(key, "max"))
		return json_size(key, v, &r->max_bytes, why, len);
	if (!strcmp(key, "socket") && json_is_string(v))
		return set_socket(r, json_string_value(v), why, len);
	snprintf(why, len, "a guest has no \"%s\"; it has \"shares\", "
		 "\"min\", \"max\" and \"socket\"", key);
	return -EINVAL;
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
			rc = json_member(r, key, v, why, len);
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
		snprintf(why, len, "it must be a JSON object");
		return -EINVAL;
	}
	json_object_foreach(root, key, v) {
		if (!strcmp(key, "target")) {
			rc = json_size(key, v, &c->target_bytes, why, len);
		} else if (!strcmp(key, "keep_free")) {
			rc = json_size(key, v, &c->free_bytes, why, len);
		} else if (!strcmp(key, "guests")) {
			rc = json_guests(c, v, why, len);
		} else {
			snprintf(why, len, "there is no \"%s\"; there are "
				 "\"target\", \"keep_free\" and \"guests\"",
				 key);
			rc = -EINVAL;
		}
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
			snprintf(why, len, "guest %s: its min of %s is above "
				 "its max of %s", r->name,
				 size_format(r->min_bytes, a, sizeof(a)),
				 size_format(r->max_bytes, b, sizeof(b)));
			return -EINVAL;
		}
		if (__builtin_add_overflow(minima, r->min_bytes, &minima))
			minima = UINT64_MAX;
	}
	if (!c->target_bytes == !c->free_bytes) {
		snprintf(why, len, "say how much memory guests may have: "
			 "--target SIZE for all of them, or --keep-free SIZE "
			 "of the host (one of the two)");
		return -EINVAL;
	}
	if (c->target_bytes && minima > c->target_bytes) {
		snprintf(why, len, "the minima of the guests are %s in all, "
			 "more than the target of %s",
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
