// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/sink/evictor.h"
#include "vmm/sink/evictor-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-flag.h"

#define STOP_POLL_MS 20		/* how often *stopping is checked */
/*
 * A request has at most the pages of one call of the sink (16 MiB:
 * ENGINE_SINK_PAGES), and waits for their writes to swap.  A swap device that
 * takes longer would block evictions by this process just as well.
 */
#define ANSWER_LIMIT_NS (60 * NSEC_PER_SEC)
/*
 * How long to wait for the end of an evictor that was killed.  One that is
 * frozen, traced by a debugger, or waiting for a swap device may take forever.
 */
#define END_LIMIT_MS 200
#define MIN_FD 10		/* above EVICTOR_SOCKET_FD, EVICTOR_MEM_FD */
#define MAX_VARIABLES 16	/* of its environment, with the final NULL */

extern char **environ;

static bool can_be_executed;	/* as an evictor; set once, in main() */

struct evictor {
	const struct guest_mem *mem;	/* not owned */
	int socket;			/* owned; our end */
	pid_t pid;			/* atomic; 0: known to have ended */
	struct evictor_request request;
	uint64_t nr_pages, cpu_ns;	/* atomic */
	/* last_error is set once, before last_error_ns, which is atomic. */
	char last_error[128];
	uint64_t last_error_ns;
};

void evictor_init(int argc, char **argv)
{
	if (argc == 1 && !strcmp(argv[0], EVICTOR_NAME))
		evictor_process();
	can_be_executed = true;
}

/*
 * Passes on, of our environment, which may hold secrets, only what the dynamic
 * loader needs to find this program's libraries.
 */
static void choose_environment(char **variables)
{
	size_t n = 0;

	for (char **e = environ; *e && n + 1 < MAX_VARIABLES; e++)
		if (!strncmp(*e, "LD_", 3))
			variables[n++] = *e;
	variables[n] = NULL;
}

/*
 * A process that ignores SIGCHLD cannot learn how a child ended, and the
 * child's pid is free for another process at once.  We may have inherited that
 * from our parent.
 */
static void stop_ignoring_sigchld(void)
{
	struct sigaction now;

	if (!sigaction(SIGCHLD, NULL, &now) && now.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
}

/* fds: its socket and the memfd, each MIN_FD or above.  0 or -errno. */
static int spawn(const int *fds, pid_t *pid)
{
	char *const argv[] = { EVICTOR_NAME, NULL };
	char *variables[MAX_VARIABLES];
	posix_spawn_file_actions_t files;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc)
		return -rc;
	choose_environment(variables);
	stop_ignoring_sigchld();
	for (int fd = 0; !rc && fd <= 2; fd++)
		rc = posix_spawn_file_actions_addopen(&files, fd, "/dev/null",
						      O_RDWR, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&files, fds[0],
						      EVICTOR_SOCKET_FD);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&files, fds[1],
						      EVICTOR_MEM_FD);
	if (!rc)
		rc = posix_spawn(pid, "/proc/self/exe", &files, NULL, argv,
				 variables);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

static int start(struct evictor *e)
{
	__cleanup_close int theirs = -1, memfd = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	e->socket = pair[0];
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, MIN_FD);
	close(pair[1]);
	memfd = fcntl(guest_mem_file(e->mem), F_DUPFD_CLOEXEC, MIN_FD);
	if (theirs < 0 || memfd < 0)
		return -errno;
	return spawn((int[]){ theirs, memfd }, &e->pid);
}

int evictor_new(struct evictor **evictorp, const struct guest_mem *mem,
		char *why, size_t len)
{
	struct evictor *e;
	int rc;

	if (!can_be_executed || guest_mem_file(mem) < 0)
		return -EOPNOTSUPP;
	e = calloc(1, sizeof(*e));
	rc = -ENOMEM;
	if (e) {
		e->mem = mem;
		e->socket = -1;
		rc = start(e);
	}
	if (rc) {
		snprintf(why, len, "cannot start the evictor process: %s",
			 error_text(-rc));
		evictor_free(e);
		return rc;
	}
	*evictorp = e;
	return 0;
}

/*
 * Kills the evictor.  True: it has ended, with *status.  False: its status is
 * not known, or it has not ended in time: it does when the kernel can end it,
 * and is a zombie until we end.
 */
static bool kill_and_reap(struct evictor *e, int *status)
{
	uint64_t limit = clock_now_ns() + END_LIMIT_MS * NSEC_PER_MSEC;
	pid_t pid = e->pid, rc;

	kill(pid, SIGKILL);
	while (!(rc = waitpid(pid, status, WNOHANG)) && clock_now_ns() < limit)
		usleep(1000);
	__atomic_store_n(&e->pid, 0, __ATOMIC_RELAXED);
	return rc == pid;
}

void evictor_free(struct evictor *e)
{
	int status;

	if (!e)
		return;
	if (e->pid)
		kill_and_reap(e, &status);
	if (e->socket >= 0)
		close(e->socket);
	free(e);
}

/* status NULL: not known.  late: it did not answer within ANSWER_LIMIT_NS. */
static void set_error(struct evictor *e, const int *status, bool late)
{
	char how[48];

	if (late)
		snprintf(how, sizeof(how), "did not answer for %d seconds",
			 (int)(ANSWER_LIMIT_NS / NSEC_PER_SEC));
	else if (!status)
		snprintf(how, sizeof(how), "has closed its socket");
	else if (WIFSIGNALED(*status))
		snprintf(how, sizeof(how), "was killed by signal %d",
			 WTERMSIG(*status));
	else
		snprintf(how, sizeof(how), "ended with status %d",
			 WEXITSTATUS(*status));
	snprintf(e->last_error, sizeof(e->last_error),
		 "the evictor process %s", how);
	__atomic_store_n(&e->last_error_ns, clock_now_ns(), __ATOMIC_RELEASE);
	log_warn("%s: vmm run now evicts pages by itself, which interrupts the "
		 "vCPUs; restart the guest to start a new evictor", e->last_error);
}

/* Gives up the evictor: kills it and logs why.  Returns -EPIPE. */
static int give_up(struct evictor *e, bool late)
{
	int status;

	/* kill_and_reap() kills it: it may still run, with its socket closed. */
	if (e->pid)
		set_error(e, kill_and_reap(e, &status) ? &status : NULL, late);
	return -EPIPE;
}

/*
 * Waits for the reply to the last request; skips those to cancelled ones.
 * Returns as evictor_evict().
 */
static int receive(struct evictor *e, const atomic_bool *stopping)
{
	uint64_t limit = clock_now_ns() + ANSWER_LIMIT_NS;
	struct pollfd p = { .fd = e->socket, .events = POLLIN };
	struct evictor_reply reply;

	for (;;) {
		int n = poll(&p, 1, STOP_POLL_MS);

		if (stop_flag_is_set(stopping))
			return -ECANCELED;
		if (n <= 0 && clock_now_ns() > limit)
			return give_up(e, true);
		if (n <= 0)
			continue;
		if (recv(e->socket, &reply, sizeof(reply), 0) != sizeof(reply))
			return give_up(e, false);
		__atomic_store_n(&e->cpu_ns, reply.cpu_ns, __ATOMIC_RELAXED);
		if (reply.serial == e->request.serial)
			return 0;
	}
}

static int send_request(struct evictor *e)
{
	size_t len = offsetof(struct evictor_request, runs) +
		     e->request.nr_runs * sizeof(e->request.runs[0]);

	e->request.serial++;
	return send(e->socket, &e->request, len, MSG_NOSIGNAL) ==
	       (ssize_t)len ? 0 : give_up(e, false);
}

/* Has the runs of e->request evicted, and empties it. */
static int evict_request(struct evictor *e, const atomic_bool *stopping)
{
	uint64_t nr_pages = 0;
	int rc;

	if (!e->request.nr_runs)
		return 0;
	for (size_t i = 0; i < e->request.nr_runs; i++)
		nr_pages += e->request.runs[i].nr;
	rc = e->pid ? send_request(e) : -EPIPE;
	if (!rc)
		rc = receive(e, stopping);
	if (!rc)
		__atomic_fetch_add(&e->nr_pages, nr_pages, __ATOMIC_RELAXED);
	e->request.nr_runs = 0;
	return rc;
}

int evictor_evict(struct evictor *e, const struct gfn_range *runs, size_t nr,
		  const atomic_bool *stopping)
{
	int rc = 0;

	e->request.nr_runs = 0;
	for (size_t i = 0; !rc && i < nr; i++) {
		uint64_t page;

		if (!guest_mem_file_page(e->mem, runs[i].start, &page))
			return -EFAULT;
		e->request.runs[e->request.nr_runs++] =
			(struct evictor_run){ page, runs[i].nr };
		if (e->request.nr_runs == EVICTOR_MAX_RUNS)
			rc = evict_request(e, stopping);
	}
	return rc ? rc : evict_request(e, stopping);
}

bool evictor_can_evict(const struct evictor *e)
{
	return e->pid;
}

uint64_t evictor_cpu_ns(const struct evictor *e)
{
	return __atomic_load_n(&e->cpu_ns, __ATOMIC_RELAXED);
}

/*
 * Does not reap it: the evicting thread does that, or has just done so (then
 * waitid() fails).
 */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

void evictor_get_stats(const struct evictor *e, struct evictor_stats *stats)
{
	*stats = (struct evictor_stats){
		.pid = __atomic_load_n(&e->pid, __ATOMIC_RELAXED),
		.nr_pages = __atomic_load_n(&e->nr_pages, __ATOMIC_RELAXED),
		.cpu_ns = evictor_cpu_ns(e),
		.last_error_ns = __atomic_load_n(&e->last_error_ns,
						 __ATOMIC_ACQUIRE),
	};
	stats->is_running = stats->pid && !has_ended(stats->pid);
	if (stats->last_error_ns)
		memcpy(stats->last_error, e->last_error,
		       sizeof(stats->last_error));
}
