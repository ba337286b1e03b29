// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"

const char *const doctor_groups[] = {
	GROUP_KVM, GROUP_SOURCES, GROUP_ABITS, GROUP_SINKS, GROUP_RECLAIM,
	GROUP_PROCESS, NULL,
};

int doctor_new(struct doctor **dp, const char *root)
{
	struct doctor *d = calloc(1, sizeof(*d));
	char caps[32];

	if (!d)
		return -ENOMEM;
	snprintf(d->root, sizeof(d->root), "%s", root ? root : "");
	if (!doctor_field(d, caps, sizeof(caps), "CapEff:",
			  "/proc/self/status"))
		d->caps = strtoull(caps, NULL, 16);
	*dp = d;
	return 0;
}

void doctor_free(struct doctor *d)
{
	free(d);
}

struct doctor_fact *doctor_add(struct doctor *d, const char *group,
			       const char *name, const char *value_fmt, ...)
{
	struct doctor_fact *f = &d->facts[d->nr];
	va_list ap;

	/* The number of checks is fixed: it does not depend on input. */
	assert(d->nr < DOCTOR_MAX_FACTS);
	d->nr++;
	f->group = group;
	f->status = DOCTOR_OK;
	snprintf(f->name, sizeof(f->name), "%s", name);
	va_start(ap, value_fmt);
	vsnprintf(f->value, sizeof(f->value), value_fmt, ap);
	va_end(ap);
	return f;
}

void doctor_detail(struct doctor_fact *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
}

void doctor_append(struct doctor_fact *f, const char *text)
{
	size_t used = strlen(f->value);

	snprintf(f->value + used, sizeof(f->value) - used, "%s", text);
}

void doctor_flag(struct doctor_fact *f, enum doctor_status status,
		 const char *remedy_fmt, ...)
{
	va_list ap;

	f->status = status;
	va_start(ap, remedy_fmt);
	vsnprintf(f->remedy, sizeof(f->remedy), remedy_fmt, ap);
	va_end(ap);
}

void doctor_check_host(struct doctor *d)
{
	doctor_check_kvm(d);
	doctor_check_abits(d);
	doctor_check_needs(d);
	doctor_check_swap(d);
	doctor_check_memory(d);
	doctor_check_cgroup(d, GROUP_RECLAIM, "self");
}

const struct doctor_fact *doctor_facts(const struct doctor *d, size_t *nr)
{
	*nr = d->nr;
	return d->facts;
}

const struct doctor_fact *doctor_find(const struct doctor *d,
				      const char *group, const char *name)
{
	for (size_t i = 0; i < d->nr; i++)
		if (!strcmp(d->facts[i].group, group) &&
		    !strcmp(d->facts[i].name, name))
			return &d->facts[i];
	return NULL;
}

static bool is_ok(const struct doctor *d, const char *group, const char *name)
{
	const struct doctor_fact *f = doctor_find(d, group, name);

	return f && f->status == DOCTOR_OK;
}

void doctor_summarize(const struct doctor *d, struct doctor_summary *sum)
{
	*sum = (struct doctor_summary){
		.guests = is_ok(d, GROUP_KVM, "/dev/kvm"),
		.process = true,
		.source = d->source,
		.sink = d->sink,
	};
	for (size_t i = 0; i < d->nr; i++) {
		const struct doctor_fact *f = &d->facts[i];

		if (d->pid_given && !strcmp(f->group, GROUP_PROCESS) &&
		    f->status == DOCTOR_FAIL)
			sum->process = false;
	}
	sum->good = sum->guests && sum->source && sum->sink && sum->process;
}

const char *doctor_status_name(enum doctor_status status)
{
	static const char *const names[] = { "ok", "note", "warn", "fail" };

	return names[status];
}
