// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/client/client-internal.h"
#include "vmm/client/client.h"
#include "vmm/util/control-answers.h"

#define TIMEOUT_MS    10000
#define MAX_LINE      (4u << 20)
#define MAX_HEADERS   (64u << 10)
#define NOT_OF_A_VM   "not an answer of vmm: is this the control socket " \
		      "of a guest?"

/*
 * The longest answers of a VM.  JSON takes up to a hundred times its length in
 * memory, so no more is accepted: 64 MiB of it would take several GiB.
 *
 *   a process    STAT_MAX_REGIONS of at most 512 bytes
 *   processes    65536, all that a view keeps, of at most 256 bytes
 */
static const struct {
	const char *path;
	unsigned int max_mib;
} answers[] = {
	{ "/processes", 16 },
	{ "/process/", 8 },
	{ "/wss", 16 },		/* as /processes, or as /process */
	{ "", 1 },
};

_Static_assert(STAT_MAX_REGIONS * 512 <= 8 << 20, "/process/ fits");

static unsigned int max_answer_mib(const char *path)
{
	size_t i = 0;

	while (strncmp(path, answers[i].path, strlen(answers[i].path)) != 0)
		i++;
	return answers[i].max_mib;
}

static void say_too_long(struct stat_transfer *t)
{
	if (t->on_line)
		snprintf(t->too_long, sizeof(t->too_long),
			 "a line is longer than 4 MiB");
	else
		snprintf(t->too_long, sizeof(t->too_long),
			 "the answer is longer than %zu MiB", t->max_len >> 20);
	t->wrong = t->too_long;
}

static long status_of(const struct stat_transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void take_line(struct stat_transfer *t, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);

	if (!line)
		t->wrong = NOT_OF_A_VM;
	else if (t->on_line(line, t->arg))
		t->stopped = true;
	json_decref(line);
}

/* Passes on complete lines; what follows the last one is kept. */
static void take_lines(struct stat_transfer *t)
{
	size_t start = 0;
	char *nl;

	while (!t->stopped && !t->wrong &&
	       (nl = memchr(t->data + start, '\n', t->len - start))) {
		take_line(t, t->data + start, nl - (t->data + start));
		start = nl + 1 - t->data;
	}
	memmove(t->data, t->data + start, t->len - start);
	t->len -= start;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct stat_transfer *t = arg;
	char *bigger;

	n *= size;
	if (n > t->max_len - t->len) {
		say_too_long(t);
		return 0;
	}
	bigger = realloc(t->data, t->len + n + 1);
	if (!bigger) {
		t->wrong = "not enough memory for the answer";
		return 0;
	}
	t->data = bigger;
	memcpy(t->data + t->len, data, n);
	t->len += n;
	t->data[t->len] = 0;
	/* An error is no stream: it is kept and reported at the end. */
	if (t->on_line && status_of(t) == 200)
		take_lines(t);
	return t->stopped || t->wrong ? 0 : n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct stat_transfer *t = arg;

	t->headers_len += n * size;
	if (t->headers_len <= MAX_HEADERS)
		return n * size;
	t->wrong = "the header of the answer is longer than 64 KiB";
	return 0;
}

/* For a stream, which has no total timeout: aborts if it has not begun. */
static int on_progress(void *arg, curl_off_t down_all, curl_off_t down,
		       curl_off_t up_all, curl_off_t up)
{
	const struct stat_transfer *t = arg;
	curl_off_t us = 0;

	if (t->headers_len)
		return 0;
	curl_easy_getinfo(t->curl, CURLINFO_TOTAL_TIME_T, &us);
	return us > (curl_off_t)TIMEOUT_MS * 1000;
}

int stat_transfer_begin(struct stat_transfer *t, const char *socket,
			const char *method, const char *path,
			const json_t *body, long timeout_ms)
{
	char *url = NULL;
	CURL *c;

	t->curl = c = curl_easy_init();
	t->socket = strdup(socket);
	if (body)
		t->text = json_dumps(body, JSON_COMPACT);
	t->max_len = t->on_line ? MAX_LINE : max_answer_mib(path) << 20;
	if (asprintf(&url, "http://vmm%s", path) < 0)
		url = NULL;
	if (!c || !t->socket || !url || (body && !t->text)) {
		free(url);
		stat_transfer_end(t);
		return -ENOMEM;
	}
	curl_easy_setopt(c, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
	if (!timeout_ms) {
		curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	}
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

/* The result but for the answer, which a stream does not have. */
static int explain(const struct stat_transfer *t, CURLcode code, char *why,
		   size_t len)
{
	if (t->wrong) {
		snprintf(why, len, "%s: %s; check that this is the socket of a "
			 "VM",
			 t->socket, t->wrong);
		return -EPROTO;
	}
	if (!code || t->stopped)
		return 0;
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		snprintf(why, len, "no VM answers on %s: check that it is "
			 "running, and that you are its user or root",
			 t->socket);
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_ABORTED_BY_CALLBACK:
		snprintf(why, len, "%s: no answer in time; check whether the "
			 "process of this VM is stopped", t->socket);
		return -ETIMEDOUT;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		snprintf(why, len, "%s: " NOT_OF_A_VM, t->socket);
		return -EPROTO;
	default:
		snprintf(why, len, "%s: %s", t->socket,
			 curl_easy_strerror(code));
		return -EIO;
	}
}

/* Parses a complete answer.  -EINVAL: it reports an error. */
static int take_answer(struct stat_transfer *t, json_t **answer, char *why,
		       size_t len)
{
	json_t *json = t->data ? json_loadb(t->data, t->len, 0, NULL) : NULL;
	const char *e = json_string_value(json_object_get(json, "error"));
	int rc = e ? -EINVAL : -EPROTO;

	if (status_of(t) == 200 && json) {
		*answer = json;
		return 0;
	}
	if (e)
		snprintf(why, len, "%s", e);
	else
		snprintf(why, len, "%s: " NOT_OF_A_VM, t->socket);
	json_decref(json);
	return rc;
}

int stat_transfer_result(struct stat_transfer *t, CURLcode code,
			 json_t **answer, char *why, size_t len)
{
	int rc = explain(t, code, why, len);

	return rc ? rc : take_answer(t, answer, why, len);
}

static int begin(struct stat_transfer *t, const char *socket,
		 const char *method, const char *path, const json_t *body,
		 unsigned int timeout_ms, char *why, size_t len)
{
	int rc = stat_transfer_begin(t, socket, method, path, body,
				     timeout_ms);

	if (rc)
		snprintf(why, len, "not enough memory for a request");
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
	rc = explain(&t, curl_easy_perform(t.curl), why, len);
	if (!rc && !t.stopped && status_of(&t) != 200) {
		rc = take_answer(&t, NULL, why, len);
	} else if (!rc && !t.stopped && t.len) {
		snprintf(why, len, "%s: the VM closed the connection in the "
			 "middle of a line", socket);
		rc = -EIO;
	}
	stat_transfer_end(&t);
	return rc;
}
