/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that have to examine much of the guest ("long" ones): a separate
 * thread handles these one after the other, so that the HTTP thread answers all
 * others meanwhile.
 *
 *   HTTP thread --stat_jobs_add, connection suspended--> queue
 *   job thread  --answer, connection resumed--> HTTP thread takes the answer
 *
 * Locking: one mutex inside.  A job belongs to the job thread from
 * stat_jobs_add() until its connection is resumed, then to the HTTP thread.
 */
#ifndef VMM_CONTROL_JOBS_H
#define VMM_CONTROL_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "vmm/control/resource.h"

#define STAT_MAX_JOBS 16	/* queued or in progress */

struct stat_job {
	TAILQ_ENTRY(stat_job) link;
	const struct stat_route *route;	/* this and below: not owned */
	const char *arg;		/* the connection keeps it */
	struct control_request *request;
	struct control_answer answer; /* set when resumed; text is owned */
};

struct stat_jobs;

/* config is copied, but not what its members point to.  0 or -errno. */
int stat_jobs_new(struct stat_jobs **jobsp,
		  const struct stat_server_config *config);
/* Ends the current job, answers queued ones with an error, takes no more. */
void stat_jobs_stop(struct stat_jobs *jobs);
/* After stat_jobs_stop(), and after the HTTP thread has ended. */
void stat_jobs_free(struct stat_jobs *jobs);

/*
 * Suspends the connection of job->request until the answer is ready; fd is the
 * connection's.  In the HTTP thread.  False: the queue is full, or the server
 * is stopping.
 */
bool stat_jobs_add(struct stat_jobs *jobs, struct stat_job *job, int fd);

#endif
