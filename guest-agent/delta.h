/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages that turn a host's old picture of a process into the new one. */
#ifndef GUEST_AGENT_DELTA_H
#define GUEST_AGENT_DELTA_H

#include "guest-agent/agent.h"

/* All regions, as new. */
void delta_put_all(struct stream *s, const struct picture *now);

/* Regions removed, new, and kept ones whose pages changed. */
void delta_put(struct stream *s, const struct picture *before,
	       const struct picture *now);

#endif
