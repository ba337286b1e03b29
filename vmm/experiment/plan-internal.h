/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_EXPERIMENT_PLAN_INTERNAL_H
#define VMM_EXPERIMENT_PLAN_INTERNAL_H

#include "vmm/experiment/plan.h"
#include "vmm/experiment/reader.h"

#define PLAN_MIN_MEM	(UINT64_C(16) << 20)	/* as in vmm run */
#define PLAN_NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"

/* Reads the member "guests"; -errno with the reader's why. */
int plan_read_guests(struct reader *r, struct plan *plan,
		     const struct plan_override *override);

#endif
