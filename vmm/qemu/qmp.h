/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of QEMU's monitor (QMP), one request at a time.
 *
 * Locking: none; one thread.  QEMU is trusted as little as its guest: the size
 * of answers is bounded, and each wait has a deadline.
 */
#ifndef VMM_QEMU_QMP_H
#define VMM_QEMU_QMP_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct qmp;

/*
 * Connects, and waits for the greeting.  0 or -errno with why; -ETIMEDOUT:
 * another client uses the monitor, which serves one at a time.  When stop_fd
 * becomes readable, this wait and all later ones end with -ECANCELED; -1: none.
 * It is not owned and must outlive the client.
 */
int qmp_open(struct qmp **qmpp, const char *path, int stop_fd, char *why,
	     size_t len);
void qmp_close(struct qmp *qmp);

/* The process that listens: QEMU, unless it was passed an open socket. */
pid_t qmp_pid(const struct qmp *qmp);

/*
 * Executes a command without arguments.  *retp is the answer's "return", to be
 * released with json_decref(); retp may be NULL.  0 or -errno with why:
 * -EREMOTEIO: QEMU refused; -ECONNRESET: it closed the connection; -ETIMEDOUT;
 * -EPROTO: not valid QMP; -ECANCELED: by stop_fd.  A late answer is dropped: it
 * is never taken for that of a later command.
 */
int qmp_command(struct qmp *qmp, const char *command, json_t **retp, char *why,
		size_t len);
/* The same for a command of the human monitor; *text is malloc'ed. */
int qmp_human(struct qmp *qmp, const char *line, char **text, char *why,
	      size_t len);

/*
 * Reads and discards the events received so far: that there are any tells the
 * caller to query again.  Of many, some are left for the next call.  The number
 * of events, or -ECONNRESET.
 */
int qmp_events(struct qmp *qmp);

#endif
