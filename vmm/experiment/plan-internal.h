/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_EXPERIMENT_PLAN_INTERNAL_H
#define VMM_EXPERIMENT_PLAN_INTERNAL_H

#include "vmm/experiment/plan.h"
#include "vmm/experiment/reader.h"

#define PLAN_MIN_MEM	(UINT64_C(16) << 20)	/* as vmm run has it */
#define PLAN_NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* The member guests; -errno with the reader's why. */
int plan_read_guests(struct reader *r, struct plan *plan,
		     const struct plan_override *override);

#endif
