// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/experiment/reader.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/nearest.h"
#include "vmm/util/size.h"

#define MAX_FILE (1u << 20)

static char *read_file(const char *file, char *why, size_t len)
{
	__cleanup_fclose FILE *f = fopen(file, "re");
	char *text = f ? malloc(MAX_FILE + 1) : NULL;
	size_t n;

	if (!text) {
		snprintf(why, len, "%s: %s", file, error_text(errno));
		return NULL;
	}
	n = fread(text, 1, MAX_FILE + 1, f);
	if (ferror(f) || n > MAX_FILE) {
		snprintf(why, len, "%s: %s", file, ferror(f) ?
			 error_text(errno) : "the file is too long for an "
					   "experiment");
		free(text);
		return NULL;
	}
	text[n] = 0;
	return text;
}

int reader_open(struct reader *r, const char *file, char *why, size_t len)
{
	json_error_t err;

	*r = (struct reader){ .file = file, .why = why, .len = len };
	r->text = read_file(file, why, len);
	if (!r->text)
		return -ENOENT;
	r->root = json_loads(r->text, JSON_REJECT_DUPLICATES, &err);
	if (!r->root) {
		snprintf(why, len, "%s:%d: %s", file, err.line, err.text);
		reader_close(r);
		return -EINVAL;
	}
	return 0;
}

void reader_close(struct reader *r)
{
	json_decref(r->root);
	free(r->text);
	r->root = NULL;
	r->text = NULL;
}

/* True when found; *nth is the number of members before it in the text. */
static bool find_member(json_t *tree, const json_t *obj, const char *key,
			unsigned int *nth)
{
	const char *name;
	json_t *value;
	size_t i;

	if (json_is_object(tree)) {
		json_object_foreach(tree, name, value) {
			if (tree == obj && !strcmp(name, key))
				return true;
			++*nth;
			if (find_member(value, obj, key, nth))
				return true;
		}
	} else if (json_is_array(tree)) {
		json_array_foreach(tree, i, value)
			if (find_member(value, obj, key, nth))
				return true;
	}
	return false;
}

/* The line of the nth key, from 0, in a text that is known to be JSON. */
static unsigned int line_of_key(const char *text, unsigned int nth)
{
	unsigned int line = 1;

	for (const char *p = text; *p; p++) {
		const char *after;

		line += *p == '\n';
		if (*p != '"')
			continue;
		for (p++; *p != '"'; p++)
			if (*p == '\\')
				p++;
		after = p + 1 + strspn(p + 1, " \t\r\n");
		if (*after == ':' && !nth--)
			return line;
	}
	return 0;
}

int reader_fail(struct reader *r, const json_t *obj, const char *key,
		const char *fmt, ...)
{
	unsigned int nth = 0, line = 0;
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (key && find_member(r->root, obj, key, &nth))
		line = line_of_key(r->text, nth);
	if (line)
		snprintf(r->why, r->len, "%s:%u: %s: %s", r->file, line, key,
			 what);
	else
		snprintf(r->why, r->len, "%s: %s%s%s", r->file, key ? key : "",
			 key ? ": " : "", what);
	return -EINVAL;
}

static int read_number(struct reader *r, const json_t *obj,
		       const struct reader_member *m, const json_t *value,
		       uint64_t *to)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < m->min ||
	    (uint64_t)n > m->max)
		return reader_fail(r, obj, m->name,
				   "must be a number from %llu to %llu",
				   (unsigned long long)m->min,
				   (unsigned long long)m->max);
	*to = (uint64_t)n;
	return 0;
}

static int read_size(struct reader *r, const json_t *obj,
		     const struct reader_member *m, const json_t *value,
		     uint64_t *to)
{
	uint64_t bytes;

	if (!json_is_string(value) ||
	    size_parse(json_string_value(value), &bytes) || bytes < m->min)
		return reader_fail(r, obj, m->name, "must be a size such as "
				   "\"512M\", of %llu MiB or more",
				   (unsigned long long)m->min >> 20);
	*to = bytes;
	return 0;
}

static int read_one(struct reader *r, const json_t *obj,
		    const struct reader_member *m, const json_t *value,
		    void *to)
{
	switch (m->kind) {
	case READER_TEXT:
		if (!json_is_string(value))
			return reader_fail(r, obj, m->name, "must be a string");
		*(const char **)to = json_string_value(value);
		return 0;
	case READER_NUMBER:
		return read_number(r, obj, m, value, to);
	case READER_SIZE:
		return read_size(r, obj, m, value, to);
	case READER_BOOL:
		if (!json_is_boolean(value))
			return reader_fail(r, obj, m->name,
					   "must be true or false");
		*(bool *)to = json_is_true(value);
		return 0;
	case READER_OTHER:
		break;
	}
	return 0;
}

static int unknown(struct reader *r, const json_t *obj, const char *name,
		   const struct reader_member *members, size_t nr)
{
	struct nearest near = { .word = name };
	char known[160] = "", hint[64];
	size_t n = 0;

	for (size_t i = 0; i < nr; i++)
		nearest_try(&near, members[i].name);
	for (size_t i = 0; i < nr && n < sizeof(known); i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s",
				      i ? ", " : "", members[i].name);
	return reader_fail(r, obj, name, "unknown; expected one of %s%s", known,
			   nearest_hint(&near, hint, sizeof(hint)));
}

int reader_members(struct reader *r, const json_t *obj,
		   const struct reader_member *members, size_t nr, void *to)
{
	const char *name;
	json_t *value;
	size_t i;
	int rc;

	json_object_foreach((json_t *)obj, name, value) {
		for (i = 0; i < nr && strcmp(members[i].name, name); i++)
			continue;
		if (i == nr)
			return unknown(r, obj, name, members, nr);
		rc = read_one(r, obj, &members[i], value,
			      (char *)to + members[i].offset);
		if (rc)
			return rc;
	}
	return 0;
}
