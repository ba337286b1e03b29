// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/control/inspect.h"
#include "vmm/control/jobs.h"
#include "vmm/control/job-limit.h"
#include "vmm/util/clock.h"
#include "vmm/util/thread.h"

struct stat_jobs {
	struct stat_server_config config;	/* for the job thread only */
	pthread_t thread;
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t more;
	unsigned int nr;		/* waiting or in progress; under lock */
	TAILQ_HEAD(, stat_job) waiting;	/* under lock */
};

static void answer_job(struct stat_jobs *jobs, struct stat_job *job)
{
	struct control_answer *a = &job->answer;
	struct stat_job_limit job_limit = {
		.fd = job->request->fd,
		.stopping = &jobs->stopping,
		.cpu_end_ns = clock_thread_cpu_ns() + STAT_MAX_CPU_NS,
	};
	int rc;

	jobs->config.job_limit = &job_limit;
	/* No work for a client that has closed its connection meanwhile. */
	rc = stat_job_limit_check(&job_limit);
	if (rc)
		stat_inspect_failed(rc, &a->status, a->why, sizeof(a->why));
	else
		job->route->answer(&jobs->config, job->arg, job->request, a);
	control_answer_format(a);
}

static void *run(void *arg)
{
	struct stat_jobs *jobs = arg;
	struct stat_job *job;

	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		job = TAILQ_FIRST(&jobs->waiting);
		if (!job) {
			if (atomic_load(&jobs->stopping))
				break;
			pthread_cond_wait(&jobs->more, &jobs->lock);
			continue;
		}
		TAILQ_REMOVE(&jobs->waiting, job, link);
		pthread_mutex_unlock(&jobs->lock);
		answer_job(jobs, job);
		pthread_mutex_lock(&jobs->lock);
		jobs->nr--;
		/* From here on the job belongs to the HTTP thread. */
		MHD_resume_connection(job->request->connection);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

int stat_jobs_new(struct stat_jobs **jobsp,
		  const struct stat_server_config *config)
{
	struct stat_jobs *jobs = calloc(1, sizeof(*jobs));
	int rc;

	if (!jobs)
		return -ENOMEM;
	jobs->config = *config;
	atomic_init(&jobs->stopping, false);
	TAILQ_INIT(&jobs->waiting);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->more, NULL);
	rc = thread_start(&jobs->thread, run, jobs);
	if (rc) {
		stat_jobs_free(jobs);
		return rc;
	}
	*jobsp = jobs;
	return 0;
}

void stat_jobs_stop(struct stat_jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	atomic_store(&jobs->stopping, true);
	pthread_cond_signal(&jobs->more);
	pthread_mutex_unlock(&jobs->lock);
	pthread_join(jobs->thread, NULL);
}

void stat_jobs_free(struct stat_jobs *jobs)
{
	if (!jobs)
		return;
	pthread_cond_destroy(&jobs->more);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

bool stat_jobs_add(struct stat_jobs *jobs, struct stat_job *job, int fd)
{
	bool fits;

	job->request->fd = fd;
	pthread_mutex_lock(&jobs->lock);
	fits = jobs->nr < STAT_MAX_JOBS && !atomic_load(&jobs->stopping);
	if (fits) {
		jobs->nr++;
		/* Suspended first: the job thread resumes it. */
		MHD_suspend_connection(job->request->connection);
		TAILQ_INSERT_TAIL(&jobs->waiting, job, link);
		pthread_cond_signal(&jobs->more);
	}
	pthread_mutex_unlock(&jobs->lock);
	return fits;
}
