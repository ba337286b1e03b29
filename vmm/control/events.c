// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "vmm/control/events.h"

#define BACKLOG_BYTES (256u << 10)

struct reader {
	LIST_ENTRY(reader) link;
	struct event_hub *hub;
	struct MHD_Connection *connection;
	bool suspended;
	uint64_t nr_dropped;
	size_t len;		/* of backlog */
	char backlog[BACKLOG_BYTES];
};

struct event_hub {
	pthread_mutex_t lock;
	bool closed;
	unsigned int nr_readers;
	LIST_HEAD(, reader) readers;
};

struct event_hub *event_hub_new(void)
{
	struct event_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return NULL;
	pthread_mutex_init(&hub->lock, NULL);
	LIST_INIT(&hub->readers);
	return hub;
}

void event_hub_free(struct event_hub *hub)
{
	if (!hub)
		return;
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}

static void wake(struct reader *r)
{
	if (r->suspended) {
		r->suspended = false;
		MHD_resume_connection(r->connection);
	}
}

void event_hub_close(struct event_hub *hub)
{
	struct reader *r;

	pthread_mutex_lock(&hub->lock);
	hub->closed = true;
	LIST_FOREACH(r, &hub->readers, link)
		wake(r);
	pthread_mutex_unlock(&hub->lock);
}

bool event_hub_has_readers(struct event_hub *hub)
{
	bool any;

	pthread_mutex_lock(&hub->lock);
	any = !LIST_EMPTY(&hub->readers);
	pthread_mutex_unlock(&hub->lock);
	return any;
}

static bool append(struct reader *r, const char *s, size_t n)
{
	if (n > sizeof(r->backlog) - r->len)
		return false;
	memcpy(r->backlog + r->len, s, n);
	r->len += n;
	return true;
}

void event_hub_publish(struct event_hub *hub, const char *line)
{
	char note[64];
	struct reader *r;
	int n;

	pthread_mutex_lock(&hub->lock);
	LIST_FOREACH(r, &hub->readers, link) {
		if (r->nr_dropped) {
			n = snprintf(note, sizeof(note), "{\"dropped\":%llu}\n",
				     (unsigned long long)r->nr_dropped);
			if (append(r, note, n))
				r->nr_dropped = 0;
		}
		if (r->nr_dropped || !append(r, line, strlen(line)))
			r->nr_dropped++;
		wake(r);
	}
	pthread_mutex_unlock(&hub->lock);
}

/* Runs in the daemon's thread; an empty backlog suspends the connection. */
static ssize_t read_backlog(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct reader *r = arg;
	ssize_t n;

	pthread_mutex_lock(&r->hub->lock);
	n = r->len < max ? r->len : max;
	if (n) {
		memcpy(buf, r->backlog, n);
		memmove(r->backlog, r->backlog + n, r->len - n);
		r->len -= n;
	} else if (r->hub->closed) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		r->suspended = true;
		MHD_suspend_connection(r->connection);
	}
	pthread_mutex_unlock(&r->hub->lock);
	return n;
}

static void forget(void *arg)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->hub->lock);
	LIST_REMOVE(r, link);
	r->hub->nr_readers--;
	pthread_mutex_unlock(&r->hub->lock);
	free(r);
}

/* Adds r to the readers; false when there are too many. */
static bool join(struct event_hub *hub, struct reader *r)
{
	bool fits;

	pthread_mutex_lock(&hub->lock);
	fits = hub->nr_readers < EVENT_MAX_READERS;
	if (fits) {
		hub->nr_readers++;
		LIST_INSERT_HEAD(&hub->readers, r, link);
	}
	pthread_mutex_unlock(&hub->lock);
	return fits;
}

int event_hub_subscribe(struct event_hub *hub,
			struct MHD_Connection *connection,
			struct MHD_Response **response)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->hub = hub;
	r->connection = connection;
	if (!join(hub, r)) {
		free(r);
		return -EBUSY;
	}
	*response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096,
						      read_backlog, r, forget);
	if (*response)
		return 0;
	forget(r);
	return -ENOMEM;
}
