// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/stat/client-internal.h"
#include "vmm/stat/client.h"

#define TIMEOUT_MS    10000
#define MAX_LINE      (4u << 20)
#define MAX_ANSWER    (1u << 30)

/* Hands on the complete lines; what follows the last one stays. */
static void take_lines(struct stat_transfer *t)
{
	size_t start = 0;
	char *nl;

	while (!t->stopped &&
	       (nl = memchr(t->data + start, '\n', t->len - start))) {
		json_t *line = json_loadb(t->data + start,
					  nl - (t->data + start), 0, NULL);

		start = nl + 1 - t->data;
		if (line && t->on_line(line, t->arg))
			t->stopped = true;
		json_decref(line);
	}
	memmove(t->data, t->data + start, t->len - start);
	t->len -= start;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct stat_transfer *t = arg;
	char *bigger;

	n *= size;
	if (n > (t->on_line ? MAX_LINE : MAX_ANSWER) - t->len)
		return 0;
	bigger = realloc(t->data, t->len + n + 1);
	if (!bigger)
		return 0;
	t->data = bigger;
	memcpy(t->data + t->len, data, n);
	t->len += n;
	t->data[t->len] = 0;
	if (t->on_line)
		take_lines(t);
	return t->stopped ? 0 : n;
}

int stat_transfer_begin(struct stat_transfer *t, const char *socket,
			const char *method, const char *path,
			const json_t *body, long timeout_ms)
{
	char url[256];
	CURL *c;

	t->curl = c = curl_easy_init();
	t->socket = strdup(socket);
	if (body)
		t->text = json_dumps(body, JSON_COMPACT);
	if (!c || !t->socket || (body && !t->text)) {
		stat_transfer_end(t);
		return -ENOMEM;
	}
	snprintf(url, sizeof(url), "http://vmm%s", path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
	if (body) {
		t->headers = curl_slist_append(t->headers,
					"Content-Type: application/json");
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->text);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	}
	return 0;
}

void stat_transfer_end(struct stat_transfer *t)
{
	if (t->curl)
		curl_easy_cleanup(t->curl);
	curl_slist_free_all(t->headers);
	free(t->text);
	free(t->socket);
	free(t->data);
	*t = (struct stat_transfer){ 0 };
}

int stat_transfer_explain(const struct stat_transfer *t, CURLcode code,
			  char *why, size_t len)
{
	if (!code || t->stopped)
		return 0;
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		snprintf(why, len, "no VM answers on %s: is it running, and "
			 "are you its user?", t->socket);
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		snprintf(why, len, "%s: no answer in time", t->socket);
		return -ETIMEDOUT;
	default:
		snprintf(why, len, "%s: %s", t->socket,
			 curl_easy_strerror(code));
		return -EIO;
	}
}

int stat_transfer_result(struct stat_transfer *t, CURLcode code,
			 json_t **answer, char *why, size_t len)
{
	int rc = stat_transfer_explain(t, code, why, len);
	long status = 0;
	json_t *json;
	const char *e;

	if (rc)
		return rc;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	json = t->data ? json_loadb(t->data, t->len, 0, NULL) : NULL;
	if (status == 200 && json) {
		*answer = json;
		return 0;
	}
	e = json_string_value(json_object_get(json, "error"));
	snprintf(why, len, "%s", e ? e :
		 "the answer is not what a VM would say");
	json_decref(json);
	return -EINVAL;
}

static int begin(struct stat_transfer *t, const char *socket,
		 const char *method, const char *path, const json_t *body,
		 unsigned int timeout_ms, char *why, size_t len)
{
	int rc = stat_transfer_begin(t, socket, method, path, body,
				     timeout_ms);

	if (rc)
		snprintf(why, len, "no memory for a request");
	return rc;
}

static int request(const char *socket, const char *method, const char *path,
		   const json_t *body, unsigned int timeout_ms,
		   json_t **answer, char *why, size_t len)
{
	struct stat_transfer t = { 0 };
	int rc = begin(&t, socket, method, path, body, timeout_ms, why, len);

	if (rc)
		return rc;
	rc = stat_transfer_result(&t, curl_easy_perform(t.curl), answer, why,
				  len);
	stat_transfer_end(&t);
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
	struct stat_transfer t = { .on_line = on_line, .arg = arg };
	int rc = begin(&t, socket, "GET", path, NULL, 0, why, len);

	if (rc)
		return rc;
	rc = stat_transfer_explain(&t, curl_easy_perform(t.curl), why, len);
	stat_transfer_end(&t);
	return rc;
}
