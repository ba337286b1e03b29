// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest: found, served by the same engine as those of `vmm run`, and watched
 * for what changes under us.
 *
 *   poll: signals, end of QEMU (pidfd), monitor events; and now and then
 *     its mappings changed      find its memory again, begin anew with the ages
 *     it migrates or is saved   no reclaim meanwhile
 *     its metadata changed      another policy
 *     the agent is away         connect to its channel
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/attach.h"
#include "vmm/cmd.h"
#include "vmm/host/proc_maps.h"
#include "vmm/host/qemu_guest.h"
#include "vmm/host/vm_fd.h"
#include "vmm/run-reclaim.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/log.h"
#include "vmm/view/agent_server.h"

#define TICK_MS	      250
#define ENDING_NS   (10 * NSEC_PER_SEC)	/* what QEMU has to be gone in */
#define AGENT_TICKS   8
#define LOOK_TICKS    4
#define AGES_TICKS    120
#define WATCHED_BYTES (UINT64_C(32) << 20)

/* All owned; fds -1, pointers NULL: not there. */
struct guest {
	struct attach_options *o;	/* not owned */
	pid_t pid;
	int pidfd, signal_fd, vm_fd;
	struct qmp *qmp;
	struct attach_domain *domain;
	struct qemu_memory memory;
	struct guest_mem *mem;
	struct run_reclaim reclaim;
	uint64_t mappings;		/* a hash */
	uint8_t *ages;			/* of before; by gfn */
	uint64_t nr_ages;
	bool is_leaving;
	struct engine_policy resumed;	/* while it is leaving */
	bool warned_qmp;
	char why[1024];
};

/* --- what it is ----------------------------------------------------------- */

static int find_process(struct guest *g)
{
	struct attach_options *o = g->o;
	int rc = 0;

	if (o->domain)
		rc = attach_domain_open(&g->domain, o, &g->pid, g->why,
					sizeof(g->why));
	else if (o->pid)
		g->pid = o->pid;
	if (!rc && o->qmp) {
		rc = qmp_open(&g->qmp, o->qmp, g->why, sizeof(g->why));
		if (!rc && !g->pid)
			g->pid = qmp_pid(g->qmp);
	}
	if (rc)
		return rc;
	g->pidfd = pidfd_open(g->pid, 0);
	if (g->pidfd >= 0)
		return 0;
	rc = errno == EINVAL ? -ESRCH : -errno;
	snprintf(g->why, sizeof(g->why), "no process %d: %s", (int)g->pid,
		 o->qmp ? "QEMU's monitor was made by another; give --pid too" :
			  strerror(-rc));
	return rc;
}

static uint64_t hash_mappings(const struct guest *g)
{
	__cleanup_free struct proc_vma *vmas = NULL;
	int nr = proc_maps_read(g->pid, WATCHED_BYTES, false, &vmas);
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < nr; i++)
		if (vmas[i].writable)
			h = (h ^ vmas[i].start ^ vmas[i].end << 20) *
			    UINT64_C(0x100000001b3);
	return h;
}

/* --- the engine ----------------------------------------------------------- */

static void keep_ages(struct guest *g)
{
	uint64_t nr = g->mem ? guest_mem_nr_frames(g->mem) : 0;
	uint8_t *ages;

	if (!nr || !g->reclaim.engine)
		return;
	ages = malloc(nr);
	if (!ages ||
	    engine_get_ages(g->reclaim.engine, (struct gfn_range){ GFN(0), nr },
			    ages)) {
		free(ages);
		return;
	}
	free(g->ages);
	g->ages = ages;
	g->nr_ages = nr;
}

static void save_ages(struct guest *g)
{
	int rc;

	if (!g->o->ages)
		return;
	keep_ages(g);
	rc = g->ages ? attach_ages_save(g->o->ages, g->ages, g->nr_ages) : 0;
	if (rc)
		log_warn("--ages %s: %s", g->o->ages, strerror(-rc));
}

static int load_ages(struct guest *g)
{
	int rc = g->o->ages ? attach_ages_load(g->o->ages, &g->ages,
					       &g->nr_ages) : -ENOENT;

	if (!rc || rc == -ENOENT)
		return 0;
	snprintf(g->why, sizeof(g->why), "--ages %s: %s; a file that `vmm "
		 "attach --ages` wrote is wanted, or none yet", g->o->ages,
		 rc == -EINVAL ? "these are no ages" : strerror(-rc));
	return rc;
}

static void stop(struct guest *g)
{
	run_reclaim_stop(&g->reclaim);
	run_reclaim_free(&g->reclaim);
	memset(&g->reclaim, 0, sizeof(g->reclaim));
	guest_mem_free(g->mem);
	g->mem = NULL;
	if (g->vm_fd >= 0)
		close(g->vm_fd);
	g->vm_fd = -1;
}

/* A guest of TCG has no VM; of KVM's, who may look at it may have it. */
static void find_vm(struct guest *g)
{
	char why[256];

	g->vm_fd = vm_fd_of_process(g->pid, why, sizeof(why));
	if (g->vm_fd < 0)
		log_debug("%s", why);
}

static int start(struct guest *g)
{
	const struct qemu_memory *m = &g->memory;
	struct run_parts parts;
	int rc = guest_mem_attach(&g->mem, g->pid, m->slots, m->nr, m->backing);

	if (rc) {
		snprintf(g->why, sizeof(g->why), "the memory of process %d: %s%s",
			 (int)g->pid, strerror(-rc), rc == -EACCES ||
			 rc == -EPERM ? ": run as root" : "");
		return rc;
	}
	find_vm(g);
	parts = (struct run_parts){ .mem = g->mem, .vm_fd = g->vm_fd };
	rc = run_reclaim_choose_for(&g->reclaim, &g->o->run, &parts, g->why,
				    sizeof(g->why));
	if (!rc)
		rc = run_reclaim_start(&g->reclaim, &g->o->run, &parts, g->why,
				       sizeof(g->why));
	if (!rc && g->ages && g->reclaim.engine)
		rc = engine_set_ages(g->reclaim.engine, g->ages, g->nr_ages);
	return rc;
}

/* It can be served, and how. */
static int check_memory(struct guest *g)
{
	int rc = proc_maps_refuse(g->pid, g->memory.bytes, g->why,
				  sizeof(g->why));

	return rc ? rc : qemu_guest_backing(g->pid, &g->memory, g->why,
					    sizeof(g->why));
}

static int attach(struct guest *g)
{
	uint64_t begin = clock_now_ns();
	char name[64];
	int rc = find_process(g);

	if (!rc && !g->o->run.abits) {
		g->o->run.abits = strdup("auto");
		rc = g->o->run.abits ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = load_ages(g);
	if (!rc)
		rc = qemu_guest_memory(g->pid, g->qmp, &g->memory, g->why,
				       sizeof(g->why));
	if (!rc)
		rc = check_memory(g);
	g->mappings = hash_mappings(g);
	if (!rc && !g->o->run.name) {
		qemu_guest_name(g->pid, name, sizeof(name));
		g->o->run.name = strdup(name);
		rc = g->o->run.name ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = start(g);
	if (rc)
		return rc;
	log_info("attached to %s, process %d, in %.0f ms: %llu MiB in %u "
		 "part(s), accessed bits by %s", g->o->run.name, (int)g->pid,
		 (clock_now_ns() - begin) / 1e6,
		 (unsigned long long)g->memory.bytes >> 20, g->memory.nr,
		 g->reclaim.ops ? g->reclaim.ops->name : "none");
	return 0;
}

/* --- what changes --------------------------------------------------------- */

/*
 * Plugged memory is mapped first and seen by the guest later, without an event:
 * the monitor is asked every now and then.  0, or -errno: the guest can't be
 * served any more.
 */
static int follow_memory(struct guest *g, bool look)
{
	struct qemu_memory now;
	struct engine_policy policy;
	uint64_t mappings = hash_mappings(g);
	int rc;

	if (!(look && g->qmp) && mappings == g->mappings)
		return 0;
	g->mappings = mappings;
	rc = qemu_guest_memory(g->pid, g->qmp, &now, g->why, sizeof(g->why));
	/* The firmware may be at work on it; the next look tells. */
	if (rc == -EPROTO || rc == -ETIMEDOUT)
		return 0;
	if (rc || qemu_memory_equal(&now, &g->memory))
		return rc;
	g->memory = now;
	rc = check_memory(g);
	if (rc)
		return rc;
	log_info("the memory of %s is another now: %llu MiB in %u part(s)",
		 g->o->run.name, (unsigned long long)g->memory.bytes >> 20,
		 g->memory.nr);
	keep_ages(g);
	if (g->reclaim.engine) {
		engine_get_policy(g->reclaim.engine, &policy);
		g->o->run.policy = policy;
	}
	stop(g);
	return start(g);
}

static void set_policy(struct guest *g, const struct engine_policy *policy)
{
	char why[128];

	if (g->reclaim.engine && engine_set_policy(g->reclaim.engine, policy,
						   why, sizeof(why)))
		log_warn("the policy of %s: %s", g->o->run.name, why);
}

static void follow_leaving(struct guest *g)
{
	struct engine_policy policy;
	bool leaving = g->domain && attach_domain_is_leaving(g->domain);
	int rc;

	if (g->qmp) {
		rc = qemu_guest_is_leaving(g->qmp, g->why, sizeof(g->why));
		leaving |= rc < 0 ? g->is_leaving : rc;
	}
	if (leaving == g->is_leaving || !g->reclaim.engine)
		return;
	g->is_leaving = leaving;
	if (leaving) {
		engine_get_policy(g->reclaim.engine, &g->resumed);
		policy = g->resumed;
		policy.enabled = false;
		policy.prefetch_pages = 0;
		set_policy(g, &policy);
		save_ages(g);
	} else {
		set_policy(g, &g->resumed);
	}
	log_info("%s %s", g->o->run.name, leaving ?
		 "migrates or is saved: nothing is reclaimed meanwhile" :
		 "stays: reclaim goes on");
}

static void follow_policy(struct guest *g)
{
	struct engine_policy policy;

	if (!g->domain || !attach_domain_new_policy(g->domain, &policy))
		return;
	log_info("%s has another policy in its metadata", g->o->run.name);
	g->o->run.policy = policy;
	if (g->is_leaving)
		g->resumed = policy;
	else
		set_policy(g, &policy);
}

/* A port of virtio-serial is a socket of QEMU's, which serves one at a time. */
static void follow_agent(struct guest *g)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct view_stats stats;
	int fd;

	if (!g->o->agent || !g->reclaim.agent)
		return;
	view_get_stats(g->reclaim.view, &stats);
	if (stats.agent_connected ||
	    strlen(g->o->agent) >= sizeof(addr.sun_path))
		return;
	strcpy(addr.sun_path, g->o->agent);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		close(fd);
	else
		agent_server_accept(fd, g->reclaim.agent);
}

/* True: something happened. */
static bool hear_monitor(struct guest *g)
{
	int nr = g->qmp ? qmp_events(g->qmp) : 0;

	if (nr >= 0)
		return nr;
	if (!g->warned_qmp)
		log_warn("QEMU's monitor %s is gone: plugged memory and "
			 "migration are not followed any more", g->o->qmp);
	g->warned_qmp = true;
	qmp_close(g->qmp);
	g->qmp = NULL;
	return false;
}

/* --- until the end -------------------------------------------------------- */

static int watch(struct guest *g)
{
	uint64_t failed_ns = 0;		/* since when; 0: it goes well */

	for (unsigned int tick = 0;; tick++) {
		struct pollfd fds[] = {
			{ .fd = g->signal_fd, .events = POLLIN },
			{ .fd = g->pidfd, .events = POLLIN },
		};
		int rc;

		if (tick % AGENT_TICKS == 0)
			follow_agent(g);
		if (tick % AGES_TICKS == AGES_TICKS - 1)
			save_ages(g);
		if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
			return VMM_EXIT_FAILURE;
		if (fds[1].revents) {
			log_info("%s ended", g->o->run.name);
			return VMM_EXIT_OK;
		}
		if (fds[0].revents) {
			log_debug("told to end: %s runs on", g->o->run.name);
			return VMM_EXIT_OK;
		}
		rc = follow_memory(g, hear_monitor(g) || failed_ns ||
					      tick % LOOK_TICKS == 0);
		/* It may just end, which takes a large process a while. */
		if (!rc) {
			failed_ns = 0;
		} else if (!failed_ns) {
			failed_ns = clock_now_ns();
		} else if (clock_now_ns() - failed_ns > ENDING_NS) {
			log_error("%s", g->why);
			return VMM_EXIT_FAILURE;
		}
		follow_leaving(g);
		follow_policy(g);
	}
}

/* Blocked before any thread starts: they come by the descriptor alone. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int attach_guest(struct attach_options *o)
{
	struct guest g = { .o = o, .pidfd = -1, .vm_fd = -1 };
	int status = VMM_EXIT_FAILURE;

	g.signal_fd = block_signals();
	if (g.signal_fd < 0) {
		log_error("signals: %s", strerror(errno));
		return status;
	}
	if (attach(&g)) {
		log_error("%s", *g.why ? g.why : "no memory");
	} else {
		status = watch(&g);
		save_ages(&g);
	}
	stop(&g);
	qmp_close(g.qmp);
	attach_domain_close(g.domain);
	if (g.pidfd >= 0)
		close(g.pidfd);
	close(g.signal_fd);
	free(g.ages);
	return status;
}
