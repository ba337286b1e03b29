// SPDX-License-Identifier: GPL-2.0-or-later
/* What changes under an attached guest: see attach.c. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/attach/attach-guest.h"
#include "vmm/engine/engine.h"
#include "vmm/guest/agent-server.h"
#include "vmm/mem/proc-maps.h"
#include "vmm/util/unix-socket.h"
#include "vmm/util/log.h"

#define MISSING_POLLS 5

/* Not at the first check: memory being plugged in is found at a later one. */
static void warn_missing(struct attached *g, const struct qemu_memory *m)
{
	if (!m->missing_bytes)
		g->nr_missing = 0;
	else if (++g->nr_missing == MISSING_POLLS)
		log_warn("%s has %llu MiB of further memory, whose address "
			 "neither libvirt nor the mappings of the process "
			 "show: it is not reclaimed; give QEMU's monitor with "
			 "--qmp",
			 g->o->service.name,
			 (unsigned long long)m->missing_bytes >> 20);
}

/* Restarts the engine on g->memory; a failure is retried at the next check. */
static int serve_memory(struct attached *g)
{
	int rc = attached_check_memory(g);

	if (rc)
		return rc;
	attached_refresh_ages(g);
	if (g->service.engine)
		engine_get_policy(g->service.engine, &g->o->service.policy);
	attached_stop(g);
	rc = attached_start(g);
	if (rc)
		return rc;
	g->unserved = false;
	log_info("the memory layout of %s changed: %llu MiB in %u part(s)",
		 g->o->service.name, (unsigned long long)g->memory.bytes >> 20,
		 g->memory.nr);
	return 0;
}

/*
 * Plugged memory is first mapped and later becomes visible to the guest,
 * without an event: the monitor or libvirt is queried periodically.
 */
int poll_memory(struct attached *g, bool poll_due)
{
	struct qemu_memory now = { 0 };
	uint64_t mappings = attached_hash_mappings(g);
	int rc;

	/* A starting QEMU locks its memory late; a device may be plugged in. */
	if (poll_due) {
		rc = proc_maps_refuse(g->pid, g->memory.bytes, g->why,
				      sizeof(g->why));
		if (rc)
			return rc;
	}
	if (!(poll_due && (g->qmp || g->domain)) && mappings == g->mappings &&
	    !g->unserved)
		return 0;
	rc = attached_find_memory(g, &now);
	/* The firmware may be setting memory up: wait for the next check. */
	if (rc == -EPROTO || rc == -ETIMEDOUT)
		return 0;
	if (rc)
		return rc;
	warn_missing(g, &now);
	g->mappings = mappings;
	if (!qemu_memory_equal(&now, &g->memory)) {
		g->memory = now;
		g->unserved = true;
	}
	return g->unserved ? serve_memory(g) : 0;
}

void poll_policy(struct attached *g)
{
	struct engine_policy policy;
	char why[128];

	if (!g->domain || !attach_domain_new_policy(g->domain, &policy))
		return;
	log_info("the policy in the metadata of %s changed",
		 g->o->service.name);
	if (!g->service.engine)		/* for the next engine */
		g->o->service.policy = policy;
	else if (engine_set_policy(g->service.engine, &policy, why,
				   sizeof(why)))
		log_warn("cannot set the policy of %s: %s",
			 g->o->service.name, why);
}

/* A virtio-serial port is a QEMU socket, which serves one client at a time. */
void poll_agent(struct attached *g)
{
	struct view_stats stats;
	int fd;

	if (!g->o->agent || !g->service.agent)
		return;
	view_get_stats(g->service.view, &stats);
	if (stats.agent_connected)
		return;
	fd = unix_connect(g->o->agent);
	if (fd >= 0)
		agent_server_accept(fd, g->service.agent);
}

/* True: there were events. */
bool poll_monitor(struct attached *g)
{
	int nr = g->qmp ? qmp_events(g->qmp) : 0;

	if (nr >= 0)
		return nr;
	if (!g->warned_qmp)
		log_warn("connection to QEMU's monitor %s lost: plugged memory "
			 "and migration are no longer detected", g->o->qmp);
	g->warned_qmp = true;
	qmp_close(g->qmp);
	g->qmp = NULL;
	return false;
}

