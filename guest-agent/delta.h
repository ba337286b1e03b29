/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages that update what the host knows of a process. */
#ifndef GUEST_AGENT_DELTA_H
#define GUEST_AGENT_DELTA_H

#include "guest-agent/agent.h"

/* Sends all regions, with their runs, as new ones. */
void delta_put_all(struct stream *s, const struct proc_snapshot *now);

/*
 * Sends the regions that are gone, then the new ones with their runs, and those
 * kept whose pages changed, with the changes.
 */
void delta_put(struct stream *s, const struct proc_snapshot *before,
	       const struct proc_snapshot *now);

#endif
