/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of QEMU's monitor (QMP), one request at a time.
 *
 * Locking: none; one thread.  QEMU is trusted as little as its guest: answers
 * are bounded, and each wait has an end.
 */
#ifndef VMM_QEMU_QMP_H
#define VMM_QEMU_QMP_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct qmp;

/*
 * Connects, and waits for the greeting.  -ETIMEDOUT: somebody else has the
 * monitor, which serves one at a time.  Or -errno; with why.
 * stop_fd, or -1: where it can be read, this wait and all later ones end with
 * -ECANCELED.  Not owned; must outlive the client.
 */
int qmp_open(struct qmp **qmpp, const char *path, int stop_fd, char *why,
	     size_t len);
void qmp_close(struct qmp *qmp);

/* For poll(): readable when an event came, or the end. */
int qmp_fd(const struct qmp *qmp);
/* The process at the other end. */
pid_t qmp_pid(const struct qmp *qmp);

/*
 * *retp is the answer's "return", to be given back with json_decref(); retp may
 * be NULL.  -EREMOTEIO: QEMU refused, why says how; -ECONNRESET: it is gone;
 * -ETIMEDOUT, -EPROTO; -ECANCELED: told to stop.  An answer that comes after that
 * is dropped: it is never taken for that of a later command.
 */
int qmp_command(struct qmp *qmp, const char *command, json_t **retp, char *why,
		size_t len);
/* A command of the human monitor; *text is malloc'ed. */
int qmp_human(struct qmp *qmp, const char *line, char **text, char *why,
	      size_t len);

/*
 * Reads what has come and forgets it: events only say that it is time to look.
 * Of many at once some are left for the next call.  How many there were, or
 * -ECONNRESET.
 */
int qmp_events(struct qmp *qmp);

#endif
