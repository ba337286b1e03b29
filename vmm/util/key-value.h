/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of options: "target=1G,period=500ms,hard=on".
 *
 * A table says which keys there are, what their values may be, and which member
 * of a struct each value goes to.  Text, the numbers of a JSON object and a
 * struct that is there already are all held against that table, and errors are
 * alike everywhere: they name the key, the value, and the range with its unit or
 * the allowed values; a mistyped name gets a suggestion.
 *
 *	static const struct key keys[] = {
 *		{ "mem", KEY_SIZE, KEY_MEMBER(struct options, mem_bytes) },
 *		{ "shards", KEY_NUMBER, KEY_MEMBER(struct options, nr_shards),
 *		  .min = 1, .max = 8 },
 *		{ NULL },
 *	};
 *
 * All functions return 0, or -EINVAL with why; where not said otherwise the
 * struct is untouched by what failed, and keeps what words before it set.
 */
#ifndef VMM_UTIL_KEY_VALUE_H
#define VMM_UTIL_KEY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_NUMBER,	/* a whole number */
	KEY_SIZE,	/* bytes, as size_parse() has them */
	KEY_DURATION,	/* "500ms", "2s"; in milliseconds */
	KEY_PERCENT,	/* "10", "0.5%"; times `scale`, rounded */
	KEY_FLAG,	/* bool: "on" or "off" */
	KEY_WORD,	/* bool: the key has no value, `done` sets it */
	KEY_TEXT,	/* const char *: not empty, a part of the list */
	KEY_OTHER,	/* `parse` does it */
};

struct key {
	const char *name;
	enum key_type type;
	size_t offset, width;	/* by KEY_MEMBER: 4 or 8 bytes for numbers */
	/* In the unit that is stored; max 0: as much as the type has. */
	uint64_t min, max;
	unsigned int scale;	/* KEY_PERCENT: stored for one per cent; 0: 1 */
	bool can_be_off;	/* "off" stands for 0 */
	const char *bare;	/* the value of the key alone; NULL: it needs one */
	const char *unit;	/* "scans", "of one core"; NULL: none */
	/* KEY_OTHER: "a list of CPUs like 0-1", and the words in it, if any. */
	const char *expects;
	const char *const *words;	/* ends with NULL */
	/* -errno: not what is expected.  `to` is the whole struct. */
	int (*parse)(const char *value, void *to);
	/* After the value was set. */
	void (*done)(const struct key *key, void *to);
	/* The name of the stored number or bool in JSON; NULL: it has none. */
	const char *json;
};

#define KEY_MEMBER(type, member) \
	.offset = offsetof(type, member), .width = sizeof(((type *)0)->member)

/*
 * A list.  KEY_TEXT needs key_list_cut(), which cuts `text` into words that the
 * struct then points to.  Also -ENOMEM.
 */
int key_list_parse(const struct key *keys, const char *text, void *to,
		   char *why, size_t len);
int key_list_cut(const struct key *keys, char *text, void *to, char *why,
		 size_t len);

/* One value; NULL: the key stands alone. */
int key_set_text(const struct key *keys, const char *name, const char *value,
		 void *to, char *why, size_t len);

/* By its name in JSON; NULL: why says so. */
const struct key *key_find_json(const struct key *keys, const char *name,
				char *why, size_t len);
/* A number in the unit that is stored, or a bool; `done` is not called. */
int key_set_number(const struct key *key, uint64_t value, void *to, char *why,
		   size_t len);
/* Why that value, as it was written, is not what the key's number can be. */
void key_refuse_number(const struct key *key, const char *value, char *why,
		       size_t len);
/* Also of a bool. */
uint64_t key_get_number(const struct key *key, const void *from);

/* That all numbers of a struct are in their ranges, by their names in JSON. */
int key_check_numbers(const struct key *keys, const void *from, char *why,
		      size_t len);

#endif
