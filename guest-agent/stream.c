// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

void stream_init(struct stream *s, int fd)
{
	s->fd = fd;
	s->error = 0;
	s->nr_bytes = 0;
	s->len = 0;
	s->nr_runs = s->nr_flags = 0;
}

/*
 * Whether the host has closed its end.  A write to a virtio-serial port does
 * not fail then: it waits for the next connection, which would receive the rest
 * of a session whose beginning it has missed.
 */
static bool is_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

/* The first data of a session may block until a host connects. */
static void write_all(struct stream *s)
{
	size_t done = 0;

	while (done < s->len && !s->error && s->fd >= 0) {
		ssize_t n;

		if (s->nr_bytes + done && is_gone(s->fd)) {
			s->error = -EPIPE;
			break;
		}
		n = write(s->fd, s->buf + done, s->len - done);
		if (n > 0)
			done += n;
		else if (n < 0 && errno != EINTR)
			s->error = -errno;
	}
	s->nr_bytes += s->len;
	s->len = 0;
}

static void append(struct stream *s, const struct protocol_message *msg)
{
	size_t n;

	if (s->len + PROTOCOL_MAX_FRAME > sizeof(s->buf))
		write_all(s);
	n = protocol_encode(msg, s->buf + s->len, sizeof(s->buf) - s->len);
	if (!n)
		s->error = -EMSGSIZE;
	s->len += n;
}

static void append_records(struct stream *s)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	if (s->nr_runs) {
		m.type = PROTOCOL_RUNS;
		m.nr = s->nr_runs;
		m.runs = s->runs;
		append(s, &m);
	}
	if (s->nr_flags) {
		m.type = PROTOCOL_FLAGS;
		m.nr = s->nr_flags;
		m.flags = s->flags;
		append(s, &m);
	}
	s->nr_runs = s->nr_flags = 0;
}

void stream_put(struct stream *s, const struct protocol_message *msg)
{
	append_records(s);
	append(s, msg);
}

void stream_put_run(struct stream *s, const struct protocol_run *run)
{
	if (s->nr_runs == PROTOCOL_MAX_RECORDS || s->nr_flags)
		append_records(s);
	s->runs[s->nr_runs++] = *run;
}

void stream_put_flags(struct stream *s, const struct protocol_flags *flags)
{
	if (s->nr_flags == PROTOCOL_MAX_RECORDS || s->nr_runs)
		append_records(s);
	s->flags[s->nr_flags++] = *flags;
}

int stream_flush(struct stream *s)
{
	append_records(s);
	write_all(s);
	return s->error;
}
