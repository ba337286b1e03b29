// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/control/connections.h"

struct connection {
	TAILQ_ENTRY(connection) link;
	enum connection_state state;
	int fd;			/* not owned */
};

void connections_init(struct connections *all, unsigned int max)
{
	for (unsigned int i = 0; i < NR_CONNECTION_STATES; i++)
		TAILQ_INIT(&all->in[i]);
	all->nr = 0;
	all->max = max;
}

int connection_fd(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
		->connect_fd;
}

static void enter(struct connections *all, struct connection *c,
		  enum connection_state state)
{
	if (c->state == CONNECTION_CLOSING)
		return;
	TAILQ_REMOVE(&all->in[c->state], c, link);
	c->state = state;
	TAILQ_INSERT_TAIL(&all->in[state], c, link);
}

void connections_enter(struct connections *all, struct MHD_Connection *c,
		       enum connection_state state)
{
	struct connection *connection = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

	if (connection)
		enter(all, connection, state);
}

void connection_refuse(int fd, const char *status, const char *why)
{
	char body[256], text[512];

	snprintf(body, sizeof(body), "{\"error\":\"%s\"}\n", why);
	snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n"
		 "Connection: close\r\n\r\n%s", status, strlen(body), body);
	/* A client that does not read may have no room, and loses the error. */
	if (send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/* By shutdown() the library sees the stream end, and closes the connection. */
static void close_one(struct connections *all)
{
	struct connection *c = NULL;

	for (int i = CONNECTION_IDLE; i <= CONNECTION_READS && !c; i++)
		c = TAILQ_FIRST(&all->in[i]);
	if (!c)
		return;
	if (c->state != CONNECTION_READS)
		connection_refuse(c->fd, "503 Service Unavailable",
				  "too many connections: this one was idle for "
				  "the longest and was closed for a new one; "
				  "connect again later");
	shutdown(c->fd, SHUT_RDWR);
	enter(all, c, CONNECTION_CLOSING);
	all->nr--;
}

static void begin(struct connections *all, struct connection *c, int fd)
{
	if (all->nr >= all->max)
		close_one(all);
	c->fd = fd;
	c->state = CONNECTION_IDLE;
	TAILQ_INSERT_TAIL(&all->in[c->state], c, link);
	all->nr++;
}

static void end(struct connections *all, struct connection *c)
{
	TAILQ_REMOVE(&all->in[c->state], c, link);
	if (c->state != CONNECTION_CLOSING)
		all->nr--;
	free(c);
}

void connections_notify(void *arg, struct MHD_Connection *c, void **context,
			enum MHD_ConnectionNotificationCode code)
{
	struct connections *all = arg;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		/* Without memory the connection is not counted. */
		*context = calloc(1, sizeof(struct connection));
		if (*context)
			begin(all, *context, connection_fd(c));
	} else if (*context) {
		end(all, *context);
		*context = NULL;
	}
}
