// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One thread: waits for a connection, reads, decodes, applies.  Others talk to
 * it through `next_fd` and what is wanted under the mutex and an eventfd.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/util/log.h"
#include "vmm/view/agent_server.h"
#include "vmm/view/view-internal.h"

struct agent_server {
	struct view *view;	/* not owned */
	pthread_t thread;
	int event_fd;		/* owned: wakes the thread */
	pthread_mutex_t lock;	/* guards all up to `connected` */
	int next_fd;		/* owned; -1: none */
	uint64_t want_drop_bytes;	/* 0: not wanted */
	bool want_rescan, stop, connected;
	/* the thread's own */
	int fd;			/* owned; -1: no agent */
	struct log_limit limit;
	struct protocol_decoder decoder;
	uint8_t buf[65536];
};

static void wake(struct agent_server *as)
{
	uint64_t one = 1;

	/* Can only fail when the counter is full, and then it is awake. */
	if (write(as->event_fd, &one, sizeof(one)) < 0)
		return;
}

static void set_connected(struct agent_server *as, bool connected)
{
	pthread_mutex_lock(&as->lock);
	as->connected = connected;
	pthread_mutex_unlock(&as->lock);
	view_wrlock(as->view);
	as->view->stats.agent_connected = connected;
	as->view->stats.nr_connections += connected;
	view_unlock(as->view);
}

static void disconnect(struct agent_server *as)
{
	if (as->fd < 0)
		return;
	close(as->fd);
	as->fd = -1;
	set_connected(as, false);
}

static void connect_to(struct agent_server *as, int fd)
{
	disconnect(as);
	as->fd = fd;
	protocol_decoder_init(&as->decoder, PROTOCOL_FROM_GUEST,
			      guest_mem_nr_frames(as->view->mem));
	view_apply_reset(as->view);
	set_connected(as, true);
}

static void send_request(struct agent_server *as,
			 const struct protocol_message *msg)
{
	uint8_t frame[PROTOCOL_HEADER_SIZE + 8];
	size_t len = protocol_encode(msg, frame, sizeof(frame));

	/* An agent that leaves its socket full must not hold us up. */
	if (as->fd >= 0 && send(as->fd, frame, len,
				MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		disconnect(as);
}

/* Does what others asked for; false: the end. */
static bool serve_requests(struct agent_server *as)
{
	struct protocol_message msg = { 0 };
	uint64_t n, drop_bytes;
	bool stop, rescan;
	int fd;

	if (read(as->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return false;
	pthread_mutex_lock(&as->lock);
	stop = as->stop;
	rescan = as->want_rescan;
	drop_bytes = as->want_drop_bytes;
	fd = as->next_fd;
	as->next_fd = -1;
	as->want_rescan = false;
	as->want_drop_bytes = 0;
	pthread_mutex_unlock(&as->lock);
	if (fd >= 0)
		connect_to(as, fd);
	if (rescan) {
		msg.type = PROTOCOL_RESCAN;
		send_request(as, &msg);
	}
	if (drop_bytes) {
		msg.type = PROTOCOL_DROP_CACHE;
		msg.drop_bytes = drop_bytes;
		send_request(as, &msg);
	}
	return !stop;
}

static void reject(struct agent_server *as, int rc)
{
	view_wrlock(as->view);
	as->view->stats.nr_rejected++;
	view_unlock(as->view);
	log_limited(&as->limit, LOG_LEVEL_WARN,
		    "guest agent disconnected: its message was refused: %s",
		    protocol_error_text(rc));
	disconnect(as);
}

static void apply(struct agent_server *as, const struct protocol_message *msg)
{
	view_apply(as->view, msg);
	if (msg->type == PROTOCOL_EPOCH_END && as->view->nr_dropped)
		log_limited(&as->limit, LOG_LEVEL_WARN,
			    "guest agent: %llu facts dropped, beyond the bounds "
			    "for this guest's memory or unlike what it said "
			    "before", (unsigned long long)as->view->nr_dropped);
}

static void serve_agent(struct agent_server *as)
{
	ssize_t n = recv(as->fd, as->buf, sizeof(as->buf), MSG_DONTWAIT);
	struct protocol_message msg;
	size_t at = 0, used;
	int rc = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		disconnect(as);
		return;
	}
	view_wrlock(as->view);
	as->view->stats.nr_bytes += n;
	view_unlock(as->view);
	while (at < (size_t)n) {
		rc = protocol_decode(&as->decoder, as->buf + at, n - at, &used,
				     &msg);
		at += used;
		if (rc <= 0)
			break;
		apply(as, &msg);
	}
	if (rc < 0)
		reject(as, rc);
}

static void *server_thread(void *arg)
{
	struct agent_server *as = arg;

	for (;;) {
		struct pollfd p[2] = {
			{ .fd = as->event_fd, .events = POLLIN },
			{ .fd = as->fd, .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents) {
			if (!serve_requests(as))
				break;
			continue;	/* p[1] may be another's by now */
		}
		if (p[1].revents)
			serve_agent(as);
	}
	disconnect(as);
	return NULL;
}

int agent_server_new(struct agent_server **asp, struct view *view)
{
	struct agent_server *as = calloc(1, sizeof(*as));
	int rc;

	if (!as)
		return -ENOMEM;
	as->view = view;
	as->fd = as->next_fd = -1;
	pthread_mutex_init(&as->lock, NULL);
	as->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (as->event_fd < 0) {
		rc = -errno;
		goto err_as;
	}
	rc = -pthread_create(&as->thread, NULL, server_thread, as);
	if (rc)
		goto err_event;
	*asp = as;
	return 0;

err_event:
	close(as->event_fd);
err_as:
	pthread_mutex_destroy(&as->lock);
	free(as);
	return rc;
}

void agent_server_free(struct agent_server *as)
{
	if (!as)
		return;
	pthread_mutex_lock(&as->lock);
	as->stop = true;
	pthread_mutex_unlock(&as->lock);
	wake(as);
	view_apply_stop(as->view);
	pthread_join(as->thread, NULL);
	if (as->next_fd >= 0)
		close(as->next_fd);
	close(as->event_fd);
	pthread_mutex_destroy(&as->lock);
	free(as);
}

void agent_server_accept(int fd, void *arg)
{
	struct agent_server *as = arg;

	pthread_mutex_lock(&as->lock);
	if (as->next_fd >= 0)
		close(as->next_fd);
	as->next_fd = fd;
	pthread_mutex_unlock(&as->lock);
	wake(as);
}

static int ask(struct agent_server *as, bool rescan, uint64_t drop_bytes)
{
	bool connected;

	pthread_mutex_lock(&as->lock);
	connected = as->connected || as->next_fd >= 0;
	if (connected && rescan)
		as->want_rescan = true;
	if (connected && drop_bytes)
		as->want_drop_bytes = drop_bytes;
	pthread_mutex_unlock(&as->lock);
	if (!connected)
		return -ENOTCONN;
	wake(as);
	return 0;
}

int agent_server_rescan(struct agent_server *as)
{
	return ask(as, true, 0);
}

int agent_server_drop_cache(struct agent_server *as, uint64_t nr_bytes)
{
	return nr_bytes ? ask(as, false, nr_bytes) : -EINVAL;
}
