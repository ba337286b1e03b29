/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guests that run, as their sockets tell, for balance.h to decide about.
 * One thread.
 *
 * A socket that refuses belongs to nobody: the guest has ended, and its memory
 * is free.  One that does not answer in time still holds its memory: the guest
 * is kept as it is, and is asked again less and less often.  All are asked and told
 * at once, so that together they delay a round by two seconds at most.
 */
#ifndef VMM_BALANCE_GUESTS_H
#define VMM_BALANCE_GUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/balance/balance.h"
#include "vmm/balance/config.h"

struct balance_member {
	char name[BALANCE_NAME_BYTES], socket[BALANCE_PATH_BYTES];
	const struct balance_rule *rule;	/* not owned; NULL: none */
	bool present, answers;		/* in the last look */
	unsigned int nr_looks;		/* that were answered */
	long long pid;			/* another one: another guest */
	bool refuses;			/* has no policy to change */
	unsigned int nr_silent, wait;	/* in a row; looks to leave out */
	uint64_t seen_ns, refaults;	/* at the last look */
	bool had_enabled;		/* before we came */
	uint64_t had_target;
	uint64_t told;			/* the target it has now, bytes */
	char why[256];			/* of the last trouble; "" */
};

struct balance_guests {
	const struct balance_config *config;	/* not owned */
	bool named_only;
	double swap_ns;			/* a refault from the host's swap */
	/*
	 * Not owned; -1: none.  While it can be read nobody is waited for: who has
	 * not answered is as it was before.
	 */
	int stop_fd;
	size_t nr, nr_told;		/* the last: by balance_guests_tell() */
	/* Side by side: the i-th of both is the same guest. */
	struct balance_member members[BALANCE_MAX_GUESTS];
	struct balance_guest guests[BALANCE_MAX_GUESTS];
};

/*
 * Finds the guests and asks each.  Those that have ended are taken out.  How
 * many are there.
 */
size_t balance_guests_look(struct balance_guests *all);

/*
 * Tells each guest its target if that has changed.  Trouble is in its `why`.
 * How many were told.
 */
size_t balance_guests_tell(struct balance_guests *all);

/* The policies as they were found; within a second, whatever stop_fd says. */
void balance_guests_restore(struct balance_guests *all);

/*
 * What a refault from this host's swap costs, in nanoseconds: the median of
 * pages of our own, sent out and touched.  0: there is no swap.
 */
double balance_swap_cost_ns(void);

/* What the host can still give, bytes; 0: not known. */
uint64_t balance_host_available(void);

#endif
