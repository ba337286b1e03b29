// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/client/client-internal.h"
#include "vmm/client/client-multi.h"

#define MAX_FDS 4

struct pending {
	struct pending *next;
	struct stat_transfer transfer;
	stat_multi_fn *done;
	void *arg;
};

struct stat_multi {
	CURLM *curl;			/* this and below: owned */
	struct pending *pending;
};

struct stat_multi *stat_multi_new(void)
{
	struct stat_multi *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->curl = curl_multi_init();
	if (!m->curl) {
		free(m);
		return NULL;
	}
	return m;
}

/* Removes the request from the list; then the caller owns it. */
static struct pending *take(struct stat_multi *m, const CURL *curl)
{
	struct pending **p = &m->pending, *found;

	while (*p && (*p)->transfer.curl != curl)
		p = &(*p)->next;
	found = *p;
	if (found)
		*p = found->next;
	return found;
}

static void free_pending(struct stat_multi *m, struct pending *p)
{
	curl_multi_remove_handle(m->curl, p->transfer.curl);
	stat_transfer_end(&p->transfer);
	free(p);
}

void stat_multi_free(struct stat_multi *m)
{
	struct pending *p;

	if (!m)
		return;
	while ((p = m->pending)) {
		m->pending = p->next;
		free_pending(m, p);
	}
	curl_multi_cleanup(m->curl);
	free(m);
}

int stat_multi_start(struct stat_multi *m, const char *socket,
		     const char *path, const json_t *body, long timeout_ms,
		     stat_multi_fn *done, void *arg)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->done = done;
	p->arg = arg;
	if (stat_transfer_begin(&p->transfer, socket, body ? "PUT" : "GET",
				path, body, timeout_ms)) {
		free(p);
		return -ENOMEM;
	}
	/* Do not wait for a connection that a hung VM keeps open. */
	curl_easy_setopt(p->transfer.curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(p->transfer.curl, CURLOPT_FORBID_REUSE, 1L);
	if (curl_multi_add_handle(m->curl, p->transfer.curl)) {
		stat_transfer_end(&p->transfer);
		free(p);
		return -ENOMEM;
	}
	p->next = m->pending;
	m->pending = p;
	return 0;
}

static void finish(struct stat_multi *m, struct pending *p, CURLcode code)
{
	json_t *answer = NULL;
	char why[512] = "";
	int rc = stat_transfer_result(&p->transfer, code, &answer, why,
				      sizeof(why));

	/* Freed before the call: done may start another request. */
	stat_multi_fn *done = p->done;
	void *arg = p->arg;

	free_pending(m, p);
	done(arg, rc, answer, why);
}

int stat_multi_wait(struct stat_multi *m, const int *fds, size_t nr_fds,
		    int timeout_ms)
{
	struct curl_waitfd wait[MAX_FDS] = { 0 };
	struct pending *p;
	CURLMsg *msg;
	int n;

	if (nr_fds > MAX_FDS)
		return -EINVAL;
	for (size_t i = 0; i < nr_fds; i++)
		wait[i] = (struct curl_waitfd){ fds[i], CURL_WAIT_POLLIN, 0 };
	if (curl_multi_perform(m->curl, &n) ||
	    curl_multi_poll(m->curl, wait, nr_fds, timeout_ms, &n) ||
	    curl_multi_perform(m->curl, &n))
		return -EIO;
	while ((msg = curl_multi_info_read(m->curl, &n))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		p = take(m, msg->easy_handle);
		if (p)
			finish(m, p, msg->data.result);
	}
	return 0;
}
