/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads members of JSON objects by a table, with errors that name file and
 * line.  The JSON library does not keep positions; as it keeps the order of
 * members, the n-th member of the tree is the n-th key of the text.
 */
#ifndef VMM_EXPERIMENT_READER_H
#define VMM_EXPERIMENT_READER_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct reader {
	const char *file;
	char *text;	/* owned */
	json_t *root;	/* owned */
	char *why;
	size_t len;
};

enum reader_kind {
	READER_TEXT,	/* const char * */
	READER_NUMBER,	/* uint64_t, from min to max */
	READER_BOOL,	/* bool */
	READER_SIZE,	/* uint64_t; "512M" */
	READER_OTHER,	/* known, but read elsewhere */
};

struct reader_member {
	const char *name;
	enum reader_kind kind;
	size_t offset;
	uint64_t min, max;
};

/* -errno with why. */
int reader_open(struct reader *r, const char *file, char *why, size_t len);
void reader_close(struct reader *r);

/* Sets the members that are present; refuses those not in the table. */
int reader_members(struct reader *r, const json_t *obj,
		   const struct reader_member *members, size_t nr, void *to);

/* Sets why to "FILE:LINE: KEY: ..."; -EINVAL.  key may be NULL. */
int reader_fail(struct reader *r, const json_t *obj, const char *key,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
