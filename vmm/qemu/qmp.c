// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/qemu/qmp.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/unix-socket.h"

#define MAX_LINE     (8u << 20)
#define GREETING_MS  5000	/* sent at once, unless the host is busy */
#define ANSWER_MS    5000
#define MAX_EVENTS    256	/* per call of qmp_events() */

struct qmp {
	int fd;			/* owned */
	int stop_fd;		/* or -1 */
	pid_t pid;
	char *buf;		/* owned */
	size_t used, cap;
	int nr_events;
	json_int_t last_id;	/* of the last request */
};

static int connect_to(const char *path)
{
	int fd = unix_connect(path);

	/* -EAGAIN: its backlog is full, so others use the monitor. */
	return fd == -EAGAIN ? -ETIMEDOUT : fd;
}

static int grow(struct qmp *q)
{
	size_t cap = q->cap ? q->cap * 2 : 4096;
	char *buf;

	if (q->used < q->cap)
		return 0;
	if (cap > MAX_LINE)
		return -EPROTO;
	buf = realloc(q->buf, cap);
	if (!buf)
		return -ENOMEM;
	q->buf = buf;
	q->cap = cap;
	return 0;
}

/* Removes a complete line from the buffer; NULL: there is none. */
static json_t *take_line(struct qmp *q, bool *broken)
{
	char *end = q->used ? memchr(q->buf, '\n', q->used) : NULL;
	json_t *msg;
	size_t n;

	*broken = false;
	if (!end)
		return NULL;
	n = end - q->buf + 1;
	msg = json_loadb(q->buf, n, 0, NULL);
	*broken = !msg;
	memmove(q->buf, q->buf + n, q->used - n);
	q->used -= n;
	return msg;
}

/*
 * Receives one message, by a deadline (clock_now_ns()).  If that is past, only
 * what one read returns at once.
 */
static int receive(struct qmp *q, uint64_t until, json_t **msgp)
{
	bool last = false;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = q->fd, .events = POLLIN },
			{ .fd = q->stop_fd, .events = POLLIN },
		};
		uint64_t now = clock_now_ns();
		bool broken;
		ssize_t n;
		int rc;

		*msgp = take_line(q, &broken);
		if (*msgp)
			return 0;
		if (broken)
			return -EPROTO;
		if (last)
			return -ETIMEDOUT;
		rc = grow(q);
		if (rc)
			return rc;
		last = now >= until;
		if (!last)
			n = poll(p, 2, (until - now) / 1000000 + 1);
		else
			n = poll(p, 1, 0);
		if (!n)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			return -ECANCELED;
		n = recv(q->fd, q->buf + q->used, q->cap - q->used, 0);
		if (n > 0)
			q->used += n;
		else if (!n || (errno != EAGAIN && errno != EINTR))
			return -ECONNRESET;
	}
}

/* QEMU may send events without end: they must not extend the wait. */
static int check_wait(const struct qmp *q, uint64_t until)
{
	struct pollfd stop = { .fd = q->stop_fd, .events = POLLIN };

	if (poll(&stop, 1, 0) > 0)
		return -ECANCELED;
	return clock_now_ns() < until ? 0 : -ETIMEDOUT;
}

/*
 * The answer to the last request.  Late answers to earlier requests have
 * another id and are dropped.
 */
static int receive_answer(struct qmp *q, uint64_t until, json_t **answerp)
{
	json_t *msg;
	int rc;

	do {
		rc = receive(q, until, &msg);
		if (rc)
			return rc;
		if (json_object_get(msg, "return") ||
		    json_object_get(msg, "error")) {
			if (json_integer_value(json_object_get(msg, "id")) ==
			    q->last_id) {
				*answerp = msg;
				return 0;
			}
		} else {
			q->nr_events++;
		}
		json_decref(msg);
		rc = check_wait(q, until);
	} while (!rc);
	return rc;
}

/* Consumes the request; NULL: out of memory when it was made. */
static int send_request(struct qmp *q, json_t *request)
{
	char *text = NULL;
	ssize_t n, len;
	int rc = 0;

	if (!json_object_set_new(request, "id", json_integer(++q->last_id)))
		text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	n = send(q->fd, text, len, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN) {
		rc = -ETIMEDOUT;	/* it has not read earlier requests */
	} else if (n != len) {
		/* After half a request QEMU could not parse the next one. */
		shutdown(q->fd, SHUT_RDWR);
		rc = -ECONNRESET;
	}
	free(text);
	return rc;
}

/* Consumes the request. */
static int execute(struct qmp *q, json_t *request, json_t **retp, char *why,
		   size_t len)
{
	uint64_t until = clock_now_ns() + ANSWER_MS * UINT64_C(1000000);
	json_t *answer = NULL, *error;
	int rc = send_request(q, request);

	if (!rc)
		rc = receive_answer(q, until, &answer);
	if (rc) {
		snprintf(why, len, "QEMU's monitor: %s", error_text(-rc));
		return rc;
	}
	error = json_object_get(answer, "error");
	if (error) {
		const char *desc = json_string_value(
			json_object_get(error, "desc"));

		snprintf(why, len, "QEMU reports an error: %s",
			 desc ? desc : "?");
		rc = -EREMOTEIO;
	} else if (retp) {
		*retp = json_incref(json_object_get(answer, "return"));
	}
	json_decref(answer);
	return rc;
}

int qmp_command(struct qmp *q, const char *command, json_t **retp, char *why,
		size_t len)
{
	return execute(q, json_pack("{s:s}", "execute", command), retp, why,
		       len);
}

int qmp_human(struct qmp *q, const char *line, char **text, char *why,
	      size_t len)
{
	json_t *request = json_pack("{s:s, s:{s:s}}", "execute",
				    "human-monitor-command", "arguments",
				    "command-line", line);
	json_t *ret = NULL;
	int rc = execute(q, request, &ret, why, len);

	if (!rc) {
		*text = json_is_string(ret) ?
				strdup(json_string_value(ret)) : NULL;
		rc = *text ? 0 : -EPROTO;
	}
	json_decref(ret);
	return rc;
}

int qmp_open(struct qmp **qmpp, const char *path, int stop_fd, char *why,
	     size_t len)
{
	uint64_t until = clock_now_ns() + GREETING_MS * UINT64_C(1000000);
	struct qmp *q = calloc(1, sizeof(*q));
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	json_t *greeting = NULL;
	int rc;

	if (!q) {
		snprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	q->stop_fd = stop_fd;
	q->fd = connect_to(path);
	rc = q->fd < 0 ? q->fd : receive(q, until, &greeting);
	if (!rc && !json_object_get(greeting, "QMP"))
		rc = -EPROTO;
	json_decref(greeting);
	if (rc == -ETIMEDOUT) {
		snprintf(why, len, "%s: no greeting: another client uses this "
			 "monitor, which serves one at a time; start QEMU with "
			 "a further -qmp unix:PATH,server=on,wait=off", path);
	} else if (rc) {
		snprintf(why, len, "%s: %s: it must be the path of -qmp "
			 "unix:PATH,server=on of a running QEMU", path,
			 error_text(-rc));
	} else if (getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size)) {
		rc = -errno;
		snprintf(why, len, "%s: cannot find its process: %s; give "
			 "--pid", path, error_text(-rc));
	} else {
		q->pid = cred.pid;
		rc = qmp_command(q, "qmp_capabilities", NULL, why, len);
	}
	if (rc) {
		qmp_close(q);
		return rc;
	}
	*qmpp = q;
	return 0;
}

void qmp_close(struct qmp *q)
{
	if (!q)
		return;
	if (q->fd >= 0)
		close(q->fd);
	free(q->buf);
	free(q);
}

pid_t qmp_pid(const struct qmp *q)
{
	return q->pid;
}

int qmp_events(struct qmp *q)
{
	json_t *msg;
	int rc = 0, nr;

	while (q->nr_events < MAX_EVENTS && !(rc = receive(q, 0, &msg))) {
		q->nr_events++;
		json_decref(msg);
	}
	nr = q->nr_events;
	q->nr_events = 0;
	return !rc || rc == -ETIMEDOUT ? nr : -ECONNRESET;
}
