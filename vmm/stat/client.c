// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/stat/client.h"

#define TIMEOUT_MS    10000
#define MAX_LINE      (4u << 20)
#define MAX_ANSWER    (1u << 30)

struct buffer {
	char *data;
	size_t len;
	int (*on_line)(json_t *line, void *arg);	/* NULL: keep all */
	void *arg;
	bool stopped;
};

/* Hands on the complete lines; what follows the last one stays. */
static void take_lines(struct buffer *b)
{
	size_t start = 0;
	char *nl;

	while (!b->stopped &&
	       (nl = memchr(b->data + start, '\n', b->len - start))) {
		json_t *line = json_loadb(b->data + start,
					  nl - (b->data + start), 0, NULL);

		start = nl + 1 - b->data;
		if (line && b->on_line(line, b->arg))
			b->stopped = true;
		json_decref(line);
	}
	memmove(b->data, b->data + start, b->len - start);
	b->len -= start;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct buffer *b = arg;
	char *bigger;

	n *= size;
	if (n > (b->on_line ? MAX_LINE : MAX_ANSWER) - b->len)
		return 0;
	bigger = realloc(b->data, b->len + n + 1);
	if (!bigger)
		return 0;
	b->data = bigger;
	memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = 0;
	if (b->on_line)
		take_lines(b);
	return b->stopped ? 0 : n;
}

static int explain(CURLcode code, const char *socket, char *why, size_t len)
{
	int rc = code == CURLE_COULDNT_CONNECT ? -ECONNREFUSED :
		 code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;

	if (rc == -ECONNREFUSED)
		snprintf(why, len, "no VM answers on %s: is it running, and "
			 "are you its user?", socket);
	else
		snprintf(why, len, "%s: %s", socket, curl_easy_strerror(code));
	return rc;
}

static int perform(const char *socket, const char *method, const char *path,
		   const json_t *body, unsigned int timeout_ms,
		   struct buffer *b, long *status, char *why, size_t len)
{
	struct curl_slist *headers = NULL;
	char *text = NULL, url[256];
	CURL *c = curl_easy_init();
	CURLcode code;

	if (!c) {
		snprintf(why, len, "no memory for a request");
		return -ENOMEM;
	}
	snprintf(url, sizeof(url), "http://vmm%s", path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, b);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	if (!b->on_line)
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		headers = curl_slist_append(headers,
					    "Content-Type: application/json");
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, text);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	}
	code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	free(text);
	return code && !b->stopped ? explain(code, socket, why, len) : 0;
}

static int request(const char *socket, const char *method, const char *path,
		   const json_t *body, unsigned int timeout_ms,
		   json_t **answer, char *why, size_t len)
{
	struct buffer b = { 0 };
	long status = 0;
	json_t *json = NULL;
	json_error_t err;
	int rc;

	rc = perform(socket, method, path, body, timeout_ms, &b, &status, why,
		     len);
	if (!rc) {
		json = b.data ? json_loadb(b.data, b.len, 0, &err) : NULL;
		if (status != 200 || !json) {
			const char *e = json_string_value(
				json_object_get(json, "error"));

			snprintf(why, len, "%s", e ? e :
				 "the answer is not what a VM would say");
			json_decref(json);
			rc = -EINVAL;
		} else {
			*answer = json;
		}
	}
	free(b.data);
	return rc;
}

int stat_request(const char *socket, const char *path, const json_t *body,
		 json_t **answer, char *why, size_t len)
{
	return stat_request_within(socket, path, body, TIMEOUT_MS, answer, why,
				   len);
}

int stat_request_within(const char *socket, const char *path,
			const json_t *body, unsigned int timeout_ms,
			json_t **answer, char *why, size_t len)
{
	return request(socket, body ? "PUT" : "GET", path, body, timeout_ms,
		       answer, why, len);
}

int stat_post(const char *socket, const char *path, json_t **answer, char *why,
	      size_t len)
{
	return request(socket, "POST", path, NULL, TIMEOUT_MS, answer, why,
		       len);
}

int stat_stream(const char *socket, const char *path,
		int (*on_line)(json_t *line, void *arg), void *arg, char *why,
		size_t len)
{
	struct buffer b = { .on_line = on_line, .arg = arg };
	long status = 0;
	int rc;

	rc = perform(socket, "GET", path, NULL, 0, &b, &status, why, len);
	free(b.data);
	return rc;
}
