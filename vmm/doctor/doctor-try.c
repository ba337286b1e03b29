// SPDX-License-Identifier: GPL-2.0-or-later
/* Tries each access source, as `auto` does, and each sink. */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "vmm/access/source.h"
#include "vmm/doctor/doctor-internal.h"
#include "vmm/mem/numa.h"
#include "vmm/sink/sink.h"
#include "vmm/util/error-text.h"

/*
 * Splits what a source or sink reports, "obstacle: remedy", into detail and
 * remedy of the fact.  A failed self-test is reported without a remedy.
 */
static void split(struct doctor_fact *f, enum doctor_status status,
		  const char *why)
{
	const char *colon = strstr(why, ": ");

	if (!strncmp(why, "self-test: the test VM", 22)) {
		doctor_detail(f, "%s", why);
		doctor_flag(f, status, "see the group kvm for the cause");
	} else if (!strncmp(why, "self-test: ", 11)) {
		doctor_detail(f, "%s", why);
		doctor_flag(f, status, "use another source or sink");
	} else if (!colon) {
		/* One phrase is both, as in "this needs root". */
		doctor_flag(f, status, "%s", why);
	} else {
		doctor_detail(f, "%.*s", (int)(colon - why), why);
		doctor_flag(f, status, "%s", colon + 2);
	}
}

/*
 * A failed candidate preferred over the chosen one is worth a warning, a less
 * preferred one only a note.  The choice is known only after all were tried.
 */
static void grade(struct doctor *d, size_t first, size_t chosen)
{
	for (size_t i = first; i < d->nr; i++) {
		struct doctor_fact *f = &d->facts[i];

		if (f->status != DOCTOR_FAIL)
			continue;
		f->status = chosen == d->nr ? DOCTOR_FAIL :
			    i < chosen ? DOCTOR_WARN : DOCTOR_NOTE;
	}
}

static bool add_source(const struct access_source_ops *ops, int err,
		       const char *why, void *arg)
{
	struct doctor *d = arg;
	struct doctor_fact *f = doctor_add(d, GROUP_SOURCES, ops->name, "%s",
					   !err ? "passed its self-test" :
					   ops->by_name_only ? "not tried" :
							      "does not work");

	if (err)
		split(f, ops->by_name_only ? DOCTOR_NOTE : DOCTOR_FAIL, why);
	else
		doctor_detail(f, "%s", ops->what);
	return true;
}

static void try_sources(struct doctor *d)
{
	const struct access_source_ops *ops = NULL;
	const size_t first = d->nr;
	size_t chosen = d->nr;

	if (!access_survey(&ops, ACCESS_MEMORY_PLAIN, add_source, d))
		d->source = ops->name;
	while (chosen < d->nr && (!ops || strcmp(d->facts[chosen].name,
						 ops->name)))
		chosen++;
	if (chosen < d->nr)
		doctor_append(&d->facts[chosen], "; chosen by auto");
	grade(d, first, chosen);
}

/* From our memory's node to another, if there is one. */
static const char *numa_options(char *buf, size_t len)
{
	uint64_t nodes = host_numa_nodes();
	unsigned int from;

	if (getcpu(NULL, &from) || from > 63 || !(nodes >> from & 1))
		return NULL;
	nodes &= ~(UINT64_C(1) << from);
	if (!nodes)
		return NULL;
	snprintf(buf, len, "from=%u,to=%d", from, __builtin_ctzll(nodes));
	return buf;
}

static void try_sinks(struct doctor *d)
{
	char numa[32];
	const struct {
		const struct reclaim_sink_ops *ops;
		const char *options;
	} sinks[] = {
		{ &sink_swap, NULL }, { &sink_store, NULL },
		{ &sink_damon, NULL },
		{ &sink_numa, numa_options(numa, sizeof(numa)) },
	};
	const size_t first = d->nr;
	size_t chosen;

	for (size_t i = 0; i < sizeof(sinks) / sizeof(*sinks); i++) {
		struct doctor_fact *f = doctor_add(d, GROUP_SINKS,
						   sinks[i].ops->name,
						   " ");
		char why[sizeof(f->detail)] = "";
		int rc = sink_selftest(sinks[i].ops, sinks[i].options, why,
				       sizeof(why));

		snprintf(f->value, sizeof(f->value), rc < 0 ? "does not work" :
			 "passed its self-test: %d of %d pages were evicted "
			 "and read back", rc, SINK_SELFTEST_PAGES);
		if (rc < 0)
			split(f, DOCTOR_FAIL, *why ? why : error_text(-rc));
	}
	for (chosen = first; chosen < d->nr; chosen++)
		if (d->facts[chosen].status == DOCTOR_OK)
			break;
	if (chosen < d->nr)
		d->sink = d->facts[chosen].name;
	grade(d, first, chosen);
}

void doctor_try(struct doctor *d)
{
	try_sources(d);
	try_sinks(d);
}
