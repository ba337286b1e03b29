/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of options: "target=1G,period=500ms,hard=on".
 *
 * A table defines the keys, their allowed values, and the member of a struct
 * where each value is stored.  Text, the numbers of a JSON object and an
 * existing struct are all checked against that table, and all errors have the
 * same form: they name the key, the value, and the range with its unit or the
 * allowed values; a mistyped name gets a suggestion.
 *
 *	static const struct key keys[] = {
 *		{ "mem", KEY_SIZE, KEY_MEMBER(struct options, mem_bytes) },
 *		{ "shards", KEY_NUMBER, KEY_MEMBER(struct options, nr_shards),
 *		  .min = 1, .max = 8 },
 *		{ NULL },
 *	};
 *
 * Functions that can fail return 0, or -EINVAL with why, unless stated
 * otherwise.  An invalid option leaves the struct unchanged (of KEY_OTHER, if
 * `parse` does); the values of the options before it in the list stay set.
 */
#ifndef VMM_UTIL_KEY_VALUE_H
#define VMM_UTIL_KEY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_NUMBER,	/* a whole number */
	KEY_SIZE,	/* bytes, as for size_parse() */
	KEY_DURATION,	/* "500ms", "2s"; in milliseconds */
	KEY_SECONDS,	/* "0.5", "2"; in milliseconds, rounded */
	KEY_PERCENT,	/* "10", "0.5%"; times `scale`, rounded */
	KEY_FLAG,	/* bool: "on" or "off" */
	KEY_WORD,	/* bool: a key without value; `done` stores it */
	KEY_TEXT,	/* const char *: not empty, points into the list */
	KEY_OTHER,	/* parsed by `parse` */
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset, width;	/* by KEY_MEMBER; numbers have 4 or 8 bytes */
	/* In the unit that is stored.  max 0: INT32_MAX or INT64_MAX. */
	uint64_t min, max;
	unsigned int scale;	/* KEY_PERCENT: what is stored for 1 %; 0: 1 */
	bool can_be_off;	/* "off" stands for 0 */
	const char *value_if_bare;	/* value of a key without "="; NULL: none */
	const char *unit;	/* "scans", "of one core"; NULL: none */
	/*
	 * KEY_OTHER: a description such as "a list of CPUs like 0-1", and the
	 * words allowed in it, if any.
	 */
	const char *expects;
	const char *const *words;	/* ends with NULL */
	/* KEY_OTHER: 0, or -errno: not as expected.  to: the whole struct. */
	int (*parse)(const char *value, void *to);
	/* Called after a value was set from text; to: the whole struct. */
	void (*done)(const struct key *key, void *to);
	/* The name of the stored number or bool in JSON; NULL: none. */
	const char *json_name;
};

#define KEY_MEMBER(type, member) \
	.offset = offsetof(type, member), .width = sizeof(((type *)0)->member)

/*
 * Parse a list into the struct `to`.  key_list_cut() splits `text` in place,
 * and is required for KEY_TEXT, as the struct then points into `text`.
 * key_list_parse() works on a copy and may also return -ENOMEM.
 */
int key_list_parse(const struct key *keys, const char *text, void *to,
		   char *why, size_t len);
int key_list_cut(const struct key *keys, char *text, void *to, char *why,
		 size_t len);

/* Sets the value of one key, given as text; NULL: a key without "=". */
int key_set_text(const struct key *keys, const char *name, const char *value,
		 void *to, char *why, size_t len);

/* Finds a key by its name in JSON.  NULL, with why: there is none. */
const struct key *key_find_json(const struct key *keys, const char *name,
				char *why, size_t len);
/* Sets a number in the stored unit, or a bool; `done` is not called. */
int key_set_number(const struct key *key, uint64_t value, void *to, char *why,
		   size_t len);
/*
 * Writes to `why` that the value, as the user wrote it, is not allowed for the
 * key.
 */
void key_refuse_number(const struct key *key, const char *value, char *why,
		       size_t len);
/* The stored number, or 0 or 1 for a bool. */
uint64_t key_get_number(const struct key *key, const void *from);

/*
 * Checks that all numbers of a struct are in their ranges; errors use the names
 * in JSON.
 */
int key_check_numbers(const struct key *keys, const void *from, char *why,
		      size_t len);

#endif
