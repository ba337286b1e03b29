/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host can do for reclaim, and what stands in the way.
 *
 *   doctor_check_host()     reads /proc, /sys and /dev
 *   doctor_check_process()  the same of one process, a VMM
 *   doctor_try()            tries the access sources and the sinks for real
 *
 * Each adds facts to one list.  A fact that is not all right names its remedy.
 * Only doctor_try() changes anything, and that only for a moment: what the
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
	DOCTOR_NOTE,	/* does not serve here, and is not missed */
	DOCTOR_WARN,	/* something works less well for it */
	DOCTOR_FAIL,	/* guests, or reclaim as a whole, fail for it */
};

/* Groups, in the order for people; ends with NULL. */
extern const char *const doctor_groups[];

struct doctor_fact {
	const char *group;	/* of doctor_groups[] */
	char name[24];		/* unique in its group */
	enum doctor_status status;
	char value[96];		/* what was found */
	char detail[384];	/* what it means, or empty */
	char remedy[384];	/* what to do, or empty */
};

/* What the facts come to. */
struct doctor_summary {
	bool guests;		/* /dev/kvm serves */
	bool process;		/* nothing of doctor_check_process() failed */
	const char *source;	/* that `auto` takes; or NULL */
	const char *sink;	/* the first that serves; or NULL */
	bool good;		/* guests run and can be reclaimed from */
};

struct doctor;

/*
 * root is put before every path of doctor_check_host() and _process(), so that
 * a test can show another host's files; NULL or "" is this host.  0 or -ENOMEM.
 */
int doctor_new(struct doctor **dp, const char *root);
void doctor_free(struct doctor *d);

void doctor_check_host(struct doctor *d);
void doctor_check_process(struct doctor *d, pid_t pid);
/* Takes a fraction of a second a source; of this host, whatever the root. */
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
