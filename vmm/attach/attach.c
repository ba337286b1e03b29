// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest: found, served by the same engine as the guests of `vmm run`, and
 * watched for changes.
 *
 * One loop waits for a signal or the end of QEMU (pidfd), and periodically
 * checks for changes:
 *
 *     mappings, plugged memory (libvirt, monitor)
 *                               find the guest memory again, and restart the
 *                               engine with the ages known so far
 *     the guest migrates or is saved
 *                               write the ages, pause reclaim
 *     its metadata changed      apply the new policy
 *     no agent is connected     connect to the agent's channel
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "vmm/access/source.h"
#include "vmm/attach/attach-guest.h"
#include "vmm/attach/vm-fd.h"
#include "vmm/engine/engine.h"
#include "vmm/mem/proc-maps.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/exit-status.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-guard.h"

#define TICK_MS	      250
#define ENDING_NS   (10 * NSEC_PER_SEC)	/* for QEMU to exit after errors */
#define STARTING_NS (10 * NSEC_PER_SEC)	/* for QEMU to allocate memory */
#define AGENT_TICKS   8
#define POLL_TICKS    4
#define AGES_TICKS    120
#define WATCHED_BYTES (UINT64_C(32) << 20)	/* smaller mappings: ignored */

/* --- finding the guest ---------------------------------------------------- */

static int find_process(struct attached *g)
{
	struct attach_options *o = g->o;
	int rc = 0;

	if (o->domain)
		rc = attach_domain_open(&g->domain, o, &g->pid, g->why,
					sizeof(g->why));
	else if (o->pid)
		g->pid = o->pid;
	if (!rc && o->qmp) {
		rc = qmp_open(&g->qmp, o->qmp, g->stop_fd, g->why,
			      sizeof(g->why));
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
		 o->qmp ? "QEMU's monitor socket was created by another "
			  "process; give --pid too" :
			  error_text(-rc));
	return rc;
}

uint64_t attached_hash_mappings(const struct attached *g)
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

/*
 * With TCG there is no KVM VM; with KVM, the permission to inspect the process
 * is enough to get a descriptor of its VM.
 */
static void find_vm(struct attached *g)
{
	char why[256];

	g->vm_fd = vm_fd_of_process(g->pid, why, sizeof(why));
	if (g->vm_fd < 0)
		log_debug("%s", why);
}

/* libvirt reports what is plugged in, and at which guest address. */
int attached_find_memory(struct attached *g, struct qemu_memory *memory)
{
	struct qemu_hints hints = { .qmp = g->qmp, .before = &g->memory };
	uint64_t unknown = 0;
	int rc = 0;

	hints.vm_fd = g->vm_fd;
	if (g->domain && !g->qmp)
		rc = attach_domain_memory(g->domain, hints.plugged, &unknown,
					  g->why, sizeof(g->why));
	if (rc < 0)
		return rc;
	hints.nr_plugged = rc;
	rc = qemu_guest_memory(g->pid, &hints, memory, g->why, sizeof(g->why));
	memory->missing_bytes += unknown;
	return rc;
}

/* --- the engine ----------------------------------------------------------- */

void attached_stop(struct attached *g)
{
	service_stop(&g->service);
	service_close_sink(&g->service);
	memset(&g->service, 0, sizeof(g->service));
	guest_mem_free(g->mem);
	g->mem = NULL;
}

/*
 * The policy in a domain's metadata may enable reclaim, which the domain's kind
 * of memory, known only now, does not allow.
 */
static void disable_for_hugetlb(struct attached *g)
{
	struct service_options *r = &g->o->service;

	if (!guest_mem_is_hugetlb(g->mem) || !r->policy.enabled ||
	    r->reclaim_text)
		return;
	log_warn("%s: its policy is ignored and nothing is reclaimed: guest "
		 "memory is in hugetlb pages (<hugepages/>), which the kernel "
		 "never swaps", r->name);
	r->policy.enabled = false;
}

int attached_start(struct attached *g)
{
	const struct qemu_memory *m = &g->memory;
	struct service_parts parts;
	int rc = guest_mem_attach(&g->mem, g->pid, m->slots, m->nr, m->backing);

	if (rc) {
		snprintf(g->why, sizeof(g->why), "cannot access the memory of "
			 "process %d: %s%s",
			 (int)g->pid, error_text(-rc), rc == -EACCES ||
			 rc == -EPERM ? ": run as root" : "");
		return rc;
	}
	disable_for_hugetlb(g);
	parts = (struct service_parts){ .mem = g->mem, .vm_fd = g->vm_fd };
	rc = service_choose_source_for(&g->service, &g->o->service, &parts,
				       g->why, sizeof(g->why));
	if (!rc)
		rc = service_start(&g->service, &g->o->service, &parts, g->why,
				   sizeof(g->why));
	if (!rc)
		rc = attached_restore_ages(g);
	if (!rc && g->service.engine)
		engine_pause(g->service.engine,
			     g->migration != QEMU_MIGRATION_NONE);
	return rc;
}

int attached_check_memory(struct attached *g)
{
	int rc = proc_maps_refuse(g->pid, g->memory.bytes, g->why,
				  sizeof(g->why));

	return rc ? rc : qemu_guest_backing(g->pid, &g->memory, g->why,
					    sizeof(g->why));
}

/* libvirt reports a domain as running before QEMU has allocated its memory. */
static int wait_for_memory(struct attached *g)
{
	uint64_t end = clock_now_ns() + STARTING_NS;
	int rc;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = g->stop_fd, .events = POLLIN },
			{ .fd = g->pidfd, .events = POLLIN },
		};

		if (g->vm_fd < 0)
			find_vm(g);
		rc = attached_find_memory(g, &g->memory);
		if (rc != -ENOENT || !g->domain || clock_now_ns() > end ||
		    poll(fds, 2, TICK_MS))
			break;
	}
	/* QEMU creates the VM before the memory, so now the VM must exist. */
	if (!rc && g->vm_fd < 0)
		find_vm(g);
	return rc;
}

static int name_guest(struct attached *g)
{
	char name[64];

	if (g->o->service.name)
		return 0;
	qemu_guest_name(g->pid, name, sizeof(name));
	g->o->service.name = strdup(name);
	return g->o->service.name ? 0 : -ENOMEM;
}

static int attach(struct attached *g)
{
	uint64_t begin = clock_now_ns(), found, known;
	int rc = find_process(g);

	found = clock_now_ns();
	if (!rc)
		rc = name_guest(g);
	if (!rc && !g->o->service.abits) {
		g->o->service.abits = strdup("auto");
		rc = g->o->service.abits ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = attached_begin_ages(g);
	if (!rc)
		rc = wait_for_memory(g);
	if (!rc)
		rc = attached_check_memory(g);
	g->mappings = attached_hash_mappings(g);
	known = clock_now_ns();
	if (!rc)
		rc = attached_start(g);
	if (rc)
		return rc;
	log_debug("%s: found in %.0f ms, its memory in %.0f ms; started in %.0f "
		  "ms", g->o->service.name, (found - begin) / 1e6,
		  (known - found) / 1e6, (clock_now_ns() - known) / 1e6);
	log_info("attached to %s, process %d, in %.0f ms: %llu MiB in %u "
		 "part(s), accessed bits by %s", g->o->service.name,
		 (int)g->pid,
		 (clock_now_ns() - begin) / 1e6,
		 (unsigned long long)g->memory.bytes >> 20, g->memory.nr,
		 g->service.source_ops ? g->service.source_ops->name :
					 "none");
	return 0;
}

/* --- until the end -------------------------------------------------------- */

static int watch(struct attached *g)
{
	uint64_t failed_ns = 0;		/* time of the first failure; 0: none */

	/* Before the engine can scan. */
	poll_migration(g);
	for (unsigned int tick = 0;; tick++) {
		struct pollfd fds[] = {
			{ .fd = g->stop_fd, .events = POLLIN },
			{ .fd = g->pidfd, .events = POLLIN },
		};
		bool poll_due;
		int rc;

		if (tick % AGENT_TICKS == 0)
			poll_agent(g);
		if (tick % AGES_TICKS == AGES_TICKS - 1 &&
		    g->migration == QEMU_MIGRATION_NONE)
			attached_save_ages(g);
		if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
			return VMM_EXIT_FAILURE;
		if (fds[1].revents) {
			log_info("%s ended", g->o->service.name);
			return VMM_EXIT_OK;
		}
		if (fds[0].revents) {
			log_debug("stopping as requested: %s keeps running",
				  g->o->service.name);
			return VMM_EXIT_OK;
		}
		poll_due = tick % POLL_TICKS == 0;
		if (poll_due && g->domain)
			attach_domain_poll(g->domain);
		rc = poll_memory(g, poll_monitor(g) || failed_ns || poll_due);
		/* QEMU may be exiting, which takes a large process a while. */
		if (!rc) {
			failed_ns = 0;
		} else if (!failed_ns) {
			failed_ns = clock_now_ns();
		} else if (clock_now_ns() - failed_ns > ENDING_NS) {
			log_error("%s", g->why);
			return VMM_EXIT_FAILURE;
		}
		poll_migration(g);
		poll_policy(g);
	}
}

int attach_guest(struct attach_options *o)
{
	struct attached g = { .o = o, .pidfd = -1, .vm_fd = -1 };
	int status = VMM_EXIT_FAILURE;

	/*
	 * After a signal the process ends within the guard's deadline, whatever
	 * it blocks on: libvirt, QEMU, a lock.
	 */
	g.stop_fd = stop_guard_start_server();
	if (g.stop_fd < 0) {
		log_error("cannot set up signal handling: %s",
			  error_text(-g.stop_fd));
		return status;
	}
	if (attach(&g)) {
		if (stop_guard_is_stopping())
			status = VMM_EXIT_OK;
		else
			log_error("%s", *g.why ? g.why : "out of memory");
	} else {
		status = watch(&g);
		stop_guard_ending(status);
		if (g.migration != QEMU_MIGRATION_OUTGOING)
			attached_save_ages(&g);
	}
	attached_stop(&g);
	qmp_close(g.qmp);
	attach_domain_close(g.domain);
	if (g.vm_fd >= 0)
		close(g.vm_fd);
	if (g.pidfd >= 0)
		close(g.pidfd);
	attach_ages_free(&g.ages);
	return status;
}
