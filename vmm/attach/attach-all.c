// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm attach --all: one process for each running domain, so that a failure with
 * one guest does not affect the others.  libvirt events and exiting children
 * wake the loop; what it does depends on which domains run, not on the event.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/attach/attach.h"
#include "vmm/libvirt/libvirt-conn.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/exit-status.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-guard.h"

#ifdef HAVE_LIBVIRT

#define RECONNECT_NS  UINT64_C(1000000000)
#define CHECK_MS      1000
/* The delay doubles after each failure, until a child ran for the maximum. */
#define RESTART_MIN_S 1
#define RESTART_MAX_S 300
#define CHILDREN_MS   (STOP_GUARD_LIMIT_MS - 2 * STOP_GUARD_LAST_MS)
#define POLL_MS	      20

/*
 * The children, for the stop guard's thread: the main thread may block in
 * libvirt for ever.  0: a free entry.  A child without an entry here is ended
 * by its parent-death signal.
 */
#define MAX_PIDS 4096
static pid_t pids[MAX_PIDS];	/* atomic */

struct child {
	struct child *next;
	char uuid[VIR_UUID_STRING_BUFLEN];
	int id;			/* libvirt's domain id; new at each start */
	pid_t pid;		/* 0: it exited */
	uint64_t began_ns;
	uint64_t restart_ns;	/* earliest next start; 0 with no pid: never */
	unsigned int restart_delay_s;	/* the delay after the last failure */
	bool seen;		/* its domain is in the latest list */
};

struct all {
	struct attach_options *o;
	char **argv;		/* "attach", and the user's arguments */
	int argc;
	virConnectPtr conn;	/* owned; NULL: disconnected */
	struct child *children;	/* owned */
	int child_fd;		/* owned: signalfd for SIGCHLD */
	uint64_t retry_ns;	/* of the connection: not before this time */
	bool stopping, notified;	/* notified: list the domains again */
	struct log_limit limit;
};

/*
 * The user's arguments unchanged, after the option that names the domain.  They
 * are not searched for options, as -A may be one letter of a group of short
 * options.  NULL: no memory.
 */
static char **words_of_child(const struct all *a, struct child *c)
{
	char **words = calloc(a->argc + 4, sizeof(*words));

	if (!words)
		return NULL;
	words[0] = "vmm";
	words[1] = "attach";
	words[2] = "--" ATTACH_OF_ALL;
	words[3] = c->uuid;
	memcpy(words + 4, a->argv + 1, (a->argc - 1) * sizeof(*words));
	return words;
}

static void stop_children(void)
{
	for (size_t i = 0; i < MAX_PIDS; i++) {
		pid_t pid = __atomic_load_n(&pids[i], __ATOMIC_ACQUIRE);

		if (pid)
			kill(pid, SIGTERM);
	}
}

/* Main thread only.  Replaces `from` in pids[]; 0 stands for a free entry. */
static void note_child(pid_t from, pid_t to)
{
	for (size_t i = 0; i < MAX_PIDS; i++) {
		if (__atomic_load_n(&pids[i], __ATOMIC_RELAXED) != from)
			continue;
		__atomic_store_n(&pids[i], to, __ATOMIC_RELEASE);
		return;
	}
}

static void start_child(struct all *a, struct child *c)
{
	char **words = words_of_child(a, c);
	pid_t parent = getpid(), pid;
	sigset_t none;

	pid = words ? fork() : -1;
	if (pid < 0) {
		log_limited(&a->limit, LOG_LEVEL_WARN, "cannot start a process "
			    "to attach to domain %s: %s; will retry",
			    c->uuid, error_text(errno));
		c->id = -1;	/* retried */
	}
	if (pid) {
		c->pid = pid < 0 ? 0 : pid;
		c->began_ns = clock_now_ns();
		if (pid > 0)
			note_child(0, pid);
		free(words);
		return;
	}
	/* The child ends with its parent; the next parent starts a new one. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", words);
	_exit(127);
}

static void see_domain(struct all *a, virDomainPtr dom)
{
	int id = virDomainGetID(dom);
	char uuid[VIR_UUID_STRING_BUFLEN];
	struct child *c;

	if (id < 0 || virDomainGetUUIDString(dom, uuid))
		return;
	for (c = a->children; c; c = c->next)
		if (!strcmp(c->uuid, uuid))
			break;
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return;
		strcpy(c->uuid, uuid);
		c->next = a->children;
		a->children = c;
		c->id = -1;
	}
	c->seen = true;
	if (c->pid)
		return;
	if (c->id != id)
		c->restart_delay_s = 0;
	else if (!c->restart_ns || clock_now_ns() < c->restart_ns)
		return;
	c->id = id;
	start_child(a, c);
}

static void forget_ended(struct all *a)
{
	struct child **cp = &a->children, *c;

	while ((c = *cp)) {
		if (c->seen || c->pid) {
			cp = &c->next;
			continue;
		}
		*cp = c->next;
		free(c);
	}
}

static void see_domains(struct all *a)
{
	virDomainPtr *doms = NULL;
	int nr = virConnectListAllDomains(a->conn, &doms,
					  VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	if (nr < 0)
		return;
	for (struct child *c = a->children; c; c = c->next)
		c->seen = false;
	for (int i = 0; i < nr; i++) {
		see_domain(a, doms[i]);
		virDomainFree(doms[i]);
	}
	free(doms);
	forget_ended(a);
}

/*
 * A child exits with 0 after SIGTERM or when its guest has ended, and is not
 * restarted then.  Any other exit may have a temporary cause: libvirt was busy,
 * or QEMU slow to start.
 */
static void plan_next(struct child *c, int status)
{
	uint64_t now = clock_now_ns();
	bool by_signal = WIFSIGNALED(status);

	c->restart_ns = 0;
	if (!by_signal && !WEXITSTATUS(status))
		return;
	if (now - c->began_ns >= RESTART_MAX_S * NSEC_PER_SEC)
		c->restart_delay_s = 0;
	c->restart_delay_s =
		c->restart_delay_s ? c->restart_delay_s * 2 : RESTART_MIN_S;
	if (c->restart_delay_s > RESTART_MAX_S)
		c->restart_delay_s = RESTART_MAX_S;
	c->restart_ns = now + c->restart_delay_s * NSEC_PER_SEC;
	log_warn("the process attached to domain %s ended %s %d: restarting it "
		 "in %u s",
		 c->uuid, by_signal ? "by signal" : "with status",
		 by_signal ? WTERMSIG(status) : WEXITSTATUS(status),
		 c->restart_delay_s);
}

static void reap(struct all *a)
{
	siginfo_t info = { 0 };
	int status;

	/* The pid is not reused before the child is reaped. */
	while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       info.si_pid) {
		struct child *c = a->children;
		pid_t pid = info.si_pid;

		note_child(pid, 0);
		waitpid(pid, &status, 0);
		info.si_pid = 0;
		while (c && c->pid != pid)
			c = c->next;
		if (!c)
			continue;
		c->pid = 0;
		if (!a->stopping)
			plan_next(c, status);
		a->notified = true;
	}
}

static void on_child(int watch, int fd, int events, void *arg)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) == sizeof(info))
		reap(arg);
}

static void on_stop(int watch, int fd, int events, void *arg)
{
	struct all *a = arg;

	a->stopping = true;
}

static int on_domain(virConnectPtr conn, virDomainPtr dom, int event,
		     int detail, void *arg)
{
	struct all *a = arg;

	a->notified = true;
	return 0;
}

static void on_timer(int timer, void *arg)
{
	struct all *a = arg;

	a->notified = true;
	reap(a);
}

static void reconnect(struct all *a)
{
	bool first = !a->retry_ns;
	char why[512];

	if (a->conn && virConnectIsAlive(a->conn) == 1)
		return;
	if (a->conn) {
		log_warn("connection to libvirt lost; attached domains stay "
			 "served; reconnecting");
		virConnectClose(a->conn);
		a->conn = NULL;
	}
	if (clock_now_ns() < a->retry_ns)
		return;
	a->retry_ns = clock_now_ns() + RECONNECT_NS;
	if (libvirt_conn_open(&a->conn, a->o->uri, true, why, sizeof(why))) {
		if (first)
			log_warn("%s; will retry", why);
		return;
	}
	virConnectSetKeepAlive(a->conn, 5, 3);
	virConnectDomainEventRegisterAny(a->conn, NULL,
					 VIR_DOMAIN_EVENT_ID_LIFECYCLE,
					 VIR_DOMAIN_EVENT_CALLBACK(on_domain),
					 a, NULL);
	log_info("connected to libvirt: watching its domains");
	a->notified = true;
}

static void signal_children(struct all *a, int sig)
{
	for (struct child *c = a->children; c; c = c->next)
		if (c->pid)
			kill(c->pid, sig);
}

static bool any_child(const struct all *a)
{
	for (const struct child *c = a->children; c; c = c->next)
		if (c->pid)
			return true;
	return false;
}

/*
 * Each child has a stop deadline as long as ours.  A child that still runs
 * shortly before ours is killed here, so that none survives when we are killed.
 */
static void end_children(struct all *a)
{
	uint64_t end = clock_now_ns() + CHILDREN_MS * UINT64_C(1000000);
	struct child *c;

	signal_children(a, SIGTERM);
	for (reap(a); any_child(a) && clock_now_ns() < end; reap(a))
		poll(&(struct pollfd){ a->child_fd, POLLIN, 0 }, 1, POLL_MS);
	signal_children(a, SIGKILL);
	while ((c = a->children)) {
		if (c->pid)
			waitpid(c->pid, NULL, 0);
		a->children = c->next;
		free(c);
	}
}

static int watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int attach_all(struct attach_options *o, int argc, char **argv)
{
	struct all a = { .o = o, .argv = argv, .argc = argc };
	int stop_fd;

	stop_guard_on_stop(stop_children);
	stop_fd = stop_guard_start_server();
	a.child_fd = watch_children();
	if (stop_fd < 0 || a.child_fd < 0 || virEventRegisterDefaultImpl() ||
	    virEventAddHandle(stop_fd, VIR_EVENT_HANDLE_READABLE, on_stop, &a,
			      NULL) < 0 ||
	    virEventAddHandle(a.child_fd, VIR_EVENT_HANDLE_READABLE, on_child,
			      &a, NULL) < 0 ||
	    virEventAddTimeout(CHECK_MS, on_timer, &a, NULL) < 0) {
		log_error("cannot set up the event loop for libvirt");
		return VMM_EXIT_FAILURE;
	}
	while (!a.stopping) {
		reconnect(&a);
		if (a.notified && a.conn) {
			a.notified = false;
			see_domains(&a);
		}
		if (virEventRunDefaultImpl() < 0)
			break;
	}
	end_children(&a);
	if (a.conn)
		virConnectClose(a.conn);
	close(a.child_fd);
	return VMM_EXIT_OK;
}

#else

int attach_all(struct attach_options *o, int argc, char **argv)
{
	log_error("%s", LIBVIRT_CONN_MISSING);
	return VMM_EXIT_FAILURE;
}

#endif
