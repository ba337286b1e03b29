/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running guests, known by their sockets, as input for balance.h.  One
 * thread.
 *
 * If a socket refuses connections, its guest has ended, and its memory is free.
 * A guest that does not answer in time still has its memory: its entry stays as
 * it is, and it is queried at growing intervals.  All requests are sent in
 * parallel, so that together they delay a round by two seconds at most.
 */
#ifndef VMM_BALANCE_GUESTS_H
#define VMM_BALANCE_GUESTS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/balance/balance.h"
#include "vmm/balance/balance-config.h"

struct balance_member {
	char name[BALANCE_NAME_BYTES], socket[BALANCE_PATH_BYTES];
	bool present, responds;		/* in the last round */
	unsigned int nr_polls;		/* rounds in which it answered */
	long long pid;			/* another one: another guest */
	bool refuses;			/* its policy can't be changed */
	unsigned int nr_silent, wait;	/* rounds unanswered; rounds to skip */
	uint64_t seen_ns, refaults;	/* of its last answer */
	bool had_enabled;		/* of its original policy */
	uint64_t had_target;		/* likewise; bytes */
	uint64_t sent_target;		/* its present target, bytes; 0: none */
	char why[256];			/* the last error; "" */
};

struct balance_guests {
	const struct balance_config *config;	/* not owned */
	bool named_only;		/* only guests that config names */
	double swap_ns;			/* cost of a refault from host swap */
	/*
	 * Not owned; -1: none.  Once readable, waits end: a guest that has not
	 * answered keeps its entry.
	 */
	int stop_fd;
	size_t nr, nr_sent; /* nr_sent: by balance_guests_set_targets() */
	/* Parallel arrays: the i-th of both is the same guest. */
	struct balance_member members[BALANCE_MAX_GUESTS];
	struct balance_guest guests[BALANCE_MAX_GUESTS];
};

/*
 * Finds the guests and queries each.  Those that have ended are removed.
 * Returns the number of guests.
 */
size_t balance_guests_poll(struct balance_guests *all);

/*
 * Sends each guest its target if that has changed.  Errors are in its `why`.
 * Returns the number of guests to which a target was sent.
 */
size_t balance_guests_set_targets(struct balance_guests *all);

/* Restores the original policies; within a second, regardless of stop_fd. */
void balance_guests_restore(struct balance_guests *all);

/*
 * What a refault from this host's swap costs, in nanoseconds: the median over
 * pages of our own, evicted and touched.  0: there is no swap.
 */
double balance_swap_cost_ns(void);

/* The host's available memory, bytes; 0: unknown. */
uint64_t balance_host_available(void);

#endif
