/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of an HTTP server, and which of them is closed when there are
 * too many, so that a new client always gets an answer.  By the client's state:
 *
 *     first those that send no request yet, or the rest of its header
 *     then those that send its body
 *     then those that read the answer
 *
 * and in each state the one that has been in it for the longest.  A connection
 * whose answer is being prepared, or that reads /events, is not closed: the
 * number of both is limited, see jobs.h and events.h.
 *
 * Locking: none, for the HTTP daemon's one thread alone.
 */
#ifndef VMM_CONTROL_CONNECTIONS_H
#define VMM_CONTROL_CONNECTIONS_H

#include <microhttpd.h>
#include <sys/queue.h>

enum connection_state {
	CONNECTION_IDLE,	/* the first three: in the order of closing */
	CONNECTION_SENDS,	/* the client sends a body */
	CONNECTION_READS,	/* the client reads the answer */
	CONNECTION_BUSY,	/* never closed for a new one */
	CONNECTION_CLOSING,
	NR_CONNECTION_STATES
};

struct connection;

struct connections {
	TAILQ_HEAD(connection_list, connection) in[NR_CONNECTION_STATES];
	unsigned int nr, max;	/* nr: without those that are closing */
};

void connections_init(struct connections *all, unsigned int max);

/*
 * For MHD_OPTION_NOTIFY_CONNECTION; all is a struct connections.  The library's
 * own limit must be above max, as closing takes the library a moment.
 */
void connections_notify(void *all, struct MHD_Connection *c, void **context,
			enum MHD_ConnectionNotificationCode code);

/* A connection begins as idle; one that is closing stays so. */
void connections_enter(struct connections *all, struct MHD_Connection *c,
		       enum connection_state state);

int connection_fd(struct MHD_Connection *c);

/*
 * Writes an error to the socket itself, for when the HTTP library accepts no
 * answer.  Nothing of another answer may have been sent.
 */
void connection_refuse(int fd, const char *status, const char *why);

#endif
