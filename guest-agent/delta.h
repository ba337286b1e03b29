/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host that has one picture of a process needs to have the next. */
#ifndef GUEST_AGENT_DELTA_H
#define GUEST_AGENT_DELTA_H

#include "guest-agent/agent.h"

/* All regions as new. */
void delta_put_all(struct stream *s, const struct picture *now);

/* Regions gone, new, and kept ones whose pages changed. */
void delta_put(struct stream *s, const struct picture *before,
	       const struct picture *now);

#endif
