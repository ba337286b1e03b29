/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pending request; shared by the files of vmm/client/. */
#ifndef VMM_CLIENT_CLIENT_INTERNAL_H
#define VMM_CLIENT_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct stat_transfer {
	CURL *curl;		/* this and below: owned */
	struct curl_slist *headers;
	char *text;		/* the request's body */
	char *socket;
	char *data;		/* what has been received */
	size_t len, max_len, headers_len;
	int (*on_line)(json_t *line, void *arg);	/* NULL: no stream */
	void *arg;
	bool stopped;		/* on_line ended it */
	const char *wrong;	/* why the answer was refused, or NULL */
	char too_long[48];	/* text for `wrong` */
};

/*
 * Makes t ready for curl; it must not be moved in memory until
 * stat_transfer_end().  timeout_ms 0: no limit.  0 or -ENOMEM.
 */
int stat_transfer_begin(struct stat_transfer *t, const char *socket,
			const char *method, const char *path,
			const json_t *body, long timeout_ms);
void stat_transfer_end(struct stat_transfer *t);

/* When curl has finished with `code`: the result, as of stat_request(). */
int stat_transfer_result(struct stat_transfer *t, CURLcode code,
			 json_t **answer, char *why, size_t len);

#endif
