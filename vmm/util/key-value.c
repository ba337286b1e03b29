// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/key-value.h"
#include "vmm/util/nearest.h"
#include "vmm/util/size.h"

#define EXPECTS_LEN 160
/* The maximum of 8 bytes, which messages about options do not mention. */
#define NO_MAX	    ((uint64_t)INT64_MAX)

static uint64_t max_of(const struct key *k)
{
	return k->max ? k->max : k->width == sizeof(uint32_t) ? INT32_MAX :
								NO_MAX;
}

static bool is_number(const struct key *k)
{
	return k->type == KEY_NUMBER || k->type == KEY_SIZE ||
	       k->type == KEY_DURATION || k->type == KEY_SECONDS ||
	       k->type == KEY_PERCENT;
}

static bool is_flag(const struct key *k)
{
	return k->type == KEY_FLAG || k->type == KEY_WORD;
}

/* --- messages ------------------------------------------------------------- */

__attribute__((format(printf, 3, 4)))
static void append(char *buf, size_t len, const char *fmt, ...)
{
	size_t used = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + used, len - used, fmt, ap);
	va_end(ap);
}

/* A limit, in the unit that is stored, as a user would write it. */
static const char *limit_text(const struct key *k, uint64_t v, char *buf,
			      size_t len)
{
	static const char units[] = "KMGT";
	size_t i = 0;

	if (k->type == KEY_SIZE) {
		if (!v || v % 1024)
			snprintf(buf, len, "%" PRIu64, v);
		else {
			for (v /= 1024; v % 1024 == 0 && i < 3; i++)
				v /= 1024;
			snprintf(buf, len, "%" PRIu64 "%c", v, units[i]);
		}
	} else if (k->type == KEY_DURATION) {
		if (v % 1000)
			snprintf(buf, len, "%" PRIu64 "ms", v);
		else
			snprintf(buf, len, "%" PRIu64 "s", v / 1000);
	} else if (k->type == KEY_SECONDS) {
		snprintf(buf, len, "%g", v / 1000.0);
	} else if (k->type == KEY_PERCENT) {
		snprintf(buf, len, "%g%%", (double)v / (k->scale ?: 1));
	} else {
		snprintf(buf, len, "%" PRIu64, v);
	}
	return buf;
}

/* Appends the unit and the limits: " of one core from 1% to 100%". */
static void append_range(const struct key *k, char *buf, size_t len)
{
	char a[32], b[32];

	if (k->unit)
		append(buf, len, " %s%s", k->type == KEY_NUMBER ? "of " : "",
		       k->unit);
	if (max_of(k) < NO_MAX)
		append(buf, len, " from %s to %s",
		       limit_text(k, k->min, a, sizeof(a)),
		       limit_text(k, max_of(k), b, sizeof(b)));
	else if (k->min)
		append(buf, len, " of %s or more",
		       limit_text(k, k->min, a, sizeof(a)));
}

/* What value is expected: "off or a size like 512M of 1M or more". */
static void describe(const struct key *k, char *buf, size_t len)
{
	static const char *const what[] = {
		[KEY_NUMBER] = "a number", [KEY_SIZE] = "a size like 512M",
		[KEY_DURATION] = "a duration like 500ms or 2s",
		[KEY_SECONDS] = "a number of seconds like 0.5 or 2",
		[KEY_PERCENT] = "a percentage", [KEY_FLAG] = "on or off",
		[KEY_TEXT] = "a text of one or more characters",
	};

	snprintf(buf, len, "%s%s", k->can_be_off ? "off or " : "",
		 k->type == KEY_OTHER ? k->expects : what[k->type]);
	if (is_number(k))
		append_range(k, buf, len);
}

/* Writes to `why` that the text is not a value of the key.  -EINVAL. */
static int explain_invalid_value(const struct key *k, const char *value,
				 char *why, size_t len)
{
	struct nearest n = { .word = value };
	char expects[EXPECTS_LEN], hint[64];

	for (const char *const *w = k->words; w && *w; w++)
		nearest_try(&n, *w);
	if (k->type == KEY_FLAG) {
		nearest_try(&n, "on");
		nearest_try(&n, "off");
	}
	describe(k, expects, sizeof(expects));
	snprintf(why, len, "%s='%s' is not %s%s", k->name, value, expects,
		 nearest_hint(&n, hint, sizeof(hint)));
	return -EINVAL;
}

/* kind: what a name is called in the message: "key" or "member". */
static void explain_unknown_name(const struct key *keys, bool json,
				 const char *kind, const char *name, char *why,
				 size_t len)
{
	struct nearest n = { .word = name };
	const char *separator = keys[0].name && !keys[1].name ?
					": expected " : ": expected one of ";
	char hint[64];

	for (const struct key *k = keys; k->name; k++)
		if (!json || k->json_name)
			nearest_try(&n, json ? k->json_name : k->name);
	snprintf(why, len, "unknown %s '%s'%s", kind, name,
		 nearest_hint(&n, hint, sizeof(hint)));
	for (const struct key *k = keys; !n.name && k->name; k++) {
		if (json && !k->json_name)
			continue;
		append(why, len, "%s%s", separator, json ? k->json_name : k->name);
		separator = ", ";
	}
}

/* --- numbers -------------------------------------------------------------- */

static void store(const struct key *k, uint64_t v, void *to)
{
	char *at = (char *)to + k->offset;

	if (is_flag(k))
		*(bool *)at = v;
	else if (k->width == sizeof(uint32_t))
		*(uint32_t *)at = v;
	else
		*(uint64_t *)at = v;
}

uint64_t key_get_number(const struct key *k, const void *from)
{
	const char *at = (const char *)from + k->offset;

	return is_flag(k) ? *(const bool *)at :
	       k->width == sizeof(uint32_t) ? *(const uint32_t *)at :
					      *(const uint64_t *)at;
}

static bool is_in_range(const struct key *k, uint64_t v)
{
	return (k->can_be_off && !v) || (v >= k->min && v <= max_of(k));
}

void key_refuse_number(const struct key *k, const char *value, char *why,
		       size_t len)
{
	const char *name = k->json_name ? k->json_name : k->name;

	if (is_flag(k)) {
		snprintf(why, len, "'%s' is %s: it must be true or false", name,
			 value);
		return;
	}
	snprintf(why, len, "'%s' is %s: it must be a whole number from %" PRIu64
		 " to %" PRIu64, name, value, k->can_be_off ? 0 : k->min,
		 max_of(k));
	if (k->unit && k->type == KEY_NUMBER)
		append(why, len, " (%s)", k->unit);
}

int key_set_number(const struct key *k, uint64_t v, void *to, char *why,
		   size_t len)
{
	char text[24];

	if (is_in_range(k, v)) {
		store(k, v, to);
		return 0;
	}
	snprintf(text, sizeof(text), "%" PRIu64, v);
	key_refuse_number(k, text, why, len);
	return -EINVAL;
}

int key_check_numbers(const struct key *keys, const void *from, char *why,
		      size_t len)
{
	for (const struct key *k = keys; k->name; k++) {
		uint64_t v = is_number(k) ? key_get_number(k, from) : 0;
		char text[24];

		if (!is_number(k) || is_in_range(k, v))
			continue;
		snprintf(text, sizeof(text), "%" PRIu64, v);
		key_refuse_number(k, text, why, len);
		return -EINVAL;
	}
	return 0;
}

/* --- text ----------------------------------------------------------------- */

static int parse_whole(const char *text, uint64_t *v, char **end)
{
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*v = strtoull(text, end, 10);
	return errno ? -ERANGE : 0;
}

static int parse_duration(const char *text, uint64_t *ms)
{
	char *end;
	int rc = parse_whole(text, ms, &end);

	if (rc || !strcmp(end, "ms"))
		return rc;
	/* A number without a unit would be ambiguous. */
	return strcmp(end, "s") ? -EINVAL :
	       __builtin_mul_overflow(*ms, 1000, ms) ? -ERANGE : 0;
}

/*
 * Parses "0.2" or, with unit "%", also "0.2%", and multiplies by `scale`; if
 * that is 1, only whole numbers are accepted.
 */
static int parse_decimal(const char *text, const char *unit, unsigned int scale,
			 uint64_t *v)
{
	size_t digits = strspn(text, scale > 1 ? "0123456789." : "0123456789");
	char *end;
	double x = strtod(text, &end);

	if (*text < '0' || *text > '9' || end != text + digits ||
	    (*end && strcmp(end, unit)) || x * scale > INT32_MAX)
		return -EINVAL;
	*v = x * scale + 0.5;
	return 0;
}

static int parse_number(const struct key *k, const char *text, uint64_t *v)
{
	char *end = "";
	int rc;

	*v = 0;
	if (k->can_be_off && !strcmp(text, "off"))
		return 0;
	rc = k->type == KEY_SIZE ? size_parse(text, v) :
	     k->type == KEY_DURATION ? parse_duration(text, v) :
	     k->type == KEY_SECONDS ? parse_decimal(text, "", 1000, v) :
	     k->type == KEY_PERCENT ? parse_decimal(text, "%", k->scale ?: 1,
						    v) :
				      parse_whole(text, v, &end);
	if (!rc && *end)
		rc = -EINVAL;
	return rc ? rc : *v >= k->min && *v <= max_of(k) ? 0 : -ERANGE;
}

static int set(const struct key *k, const char *value, void *to)
{
	uint64_t v;
	int rc;

	switch (k->type) {
	case KEY_WORD:
		return 0;
	case KEY_TEXT:
		if (!*value)
			return -EINVAL;
		*(const char **)((char *)to + k->offset) = value;
		return 0;
	case KEY_FLAG:
		if (strcmp(value, "on") && strcmp(value, "off"))
			return -EINVAL;
		store(k, !strcmp(value, "on"), to);
		return 0;
	case KEY_OTHER:
		return k->parse(value, to);
	default:
		rc = parse_number(k, value, &v);
		if (!rc)
			store(k, v, to);
		return rc;
	}
}

int key_set_text(const struct key *keys, const char *name, const char *value,
		 void *to, char *why, size_t len)
{
	const struct key *k = keys;

	while (k->name && strcmp(k->name, name))
		k++;
	if (!k->name) {
		explain_unknown_name(keys, false, "key", name, why, len);
		return -EINVAL;
	}
	if (k->type == KEY_WORD && value) {
		snprintf(why, len, "%s='%s': '%s' takes no value", name, value,
			 name);
		return -EINVAL;
	}
	if (!value)
		value = k->value_if_bare ? k->value_if_bare : "";
	if (set(k, value, to))
		return explain_invalid_value(k, value, why, len);
	if (k->done)
		k->done(k, to);
	return 0;
}

int key_list_cut(const struct key *keys, char *text, void *to, char *why,
		 size_t len)
{
	char *rest = text, *word, *value;
	int rc = 0;

	while (!rc && (word = strsep(&rest, ","))) {
		value = strchr(word, '=');
		if (value)
			*value++ = 0;
		rc = key_set_text(keys, word, value, to, why, len);
	}
	return rc;
}

int key_list_parse(const struct key *keys, const char *text, void *to,
		   char *why, size_t len)
{
	__cleanup_free char *copy = strdup(text);

	if (!copy) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	return key_list_cut(keys, copy, to, why, len);
}

const struct key *key_find_json(const struct key *keys, const char *name,
				char *why, size_t len)
{
	for (const struct key *k = keys; k->name; k++)
		if (k->json_name && !strcmp(k->json_name, name))
			return k;
	explain_unknown_name(keys, true, "member", name, why, len);
	return NULL;
}
