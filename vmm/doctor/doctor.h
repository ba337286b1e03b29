/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host can do for reclaim, and what prevents it.
 *
 *   doctor_check_host()     reads /proc, /sys and /dev
 *   doctor_check_process()  the same for one process, a VMM
 *   doctor_try()            really tries the access sources and the sinks
 *
 * Each adds facts to one list.  A fact that is not OK comes with a remedy.
 * Only doctor_try() changes anything, and that only temporarily: what the
 * self-tests of vmm/access/source.h and vmm/sink/sink.h need.
 *
 * Locking: one thread.
 */
#ifndef VMM_DOCTOR_DOCTOR_H
#define VMM_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum doctor_status {
	DOCTOR_OK,	/* no obstacle; optional things may be absent */
	DOCTOR_NOTE,	/* can't be used here, and is not needed */
	DOCTOR_WARN,	/* something works less well because of it */
	DOCTOR_FAIL,	/* guests, or all reclaim, fail because of it */
};

/* Groups, in the order of display; NULL-terminated. */
extern const char *const doctor_groups[];

struct doctor_fact {
	const char *group;	/* one of doctor_groups[] */
	char name[24];		/* unique in its group */
	enum doctor_status status;
	char value[96];		/* what was found */
	char detail[384];	/* what it means, or empty */
	char remedy[384];	/* what to do, or empty */
};

/* Summary of all facts. */
struct doctor_summary {
	bool guests;		/* /dev/kvm can be used */
	bool process;		/* no fact of doctor_check_process() failed */
	const char *source;	/* that `auto` chooses; or NULL */
	const char *sink;	/* the first that works; or NULL */
	bool good;		/* guests run and can be reclaimed */
};

struct doctor;

/*
 * root is a prefix for every path of doctor_check_host() and _process(), so
 * that a test can use another host's files; NULL or "" is this host.  0 or
 * -ENOMEM.
 */
int doctor_new(struct doctor **dp, const char *root);
void doctor_free(struct doctor *d);

void doctor_check_host(struct doctor *d);
void doctor_check_process(struct doctor *d, pid_t pid);
/*
 * Takes a fraction of a second for each source; always this host, whatever
 * root.
 */
void doctor_try(struct doctor *d);

/* In the order of the checks, not sorted by group. */
const struct doctor_fact *doctor_facts(const struct doctor *d, size_t *nr);
/* NULL: there is no such fact. */
const struct doctor_fact *doctor_find(const struct doctor *d,
				      const char *group, const char *name);
void doctor_summarize(const struct doctor *d, struct doctor_summary *sum);
/* "ok", "note", "warn" or "fail". */
const char *doctor_status_name(enum doctor_status status);

#endif
