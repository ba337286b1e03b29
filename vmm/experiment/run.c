// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every sample_ms the runner reads the guests' memory use from their cgroup,
 * and queries the counters of engines.  A VM without an engine is queried only
 * for its balloon or without a cgroup: it has to walk its page tables for the
 * answer, on the CPUs being measured.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/client/client.h"
#include "vmm/experiment/file-pin.h"
#include "vmm/experiment/guest.h"
#include "vmm/experiment/run.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"

struct run {
	const struct run_context *ctx;
	struct result_run *result;
	const struct plan_policy *policy;
	struct guest guests[PLAN_MAX_GUESTS];
	unsigned int nr_started;
	struct cgroup cgroup;
	pid_t pin_pid;		/* of file_pin_start() */
	char copy[128];		/* of the program; "": none */
	/* The start; when all workloads ran (0: not yet); the next sample. */
	uint64_t begun_ns, all_run_ns, next_ns;
};

static bool in_cgroup(const struct run *r)
{
	return *r->cgroup.path;
}

static void fail(struct run *r, const char *why)
{
	if (!*r->result->why)
		snprintf(r->result->why, sizeof(r->result->why), "%s", why);
}

static bool all_run(const struct run *r)
{
	for (unsigned int i = 0; i < r->nr_started; i++)
		if (!r->guests[i].runs)
			return false;
	return true;
}

static unsigned int nr_alive(const struct run *r)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < r->nr_started; i++)
		nr += r->guests[i].pid > 0;
	return nr;
}

static double stat_number(const json_t *stats, const char *section,
			  const char *name)
{
	return json_number_value(json_object_get(
		json_object_get(stats, section), name));
}

static void sample_guest(struct run *r, const struct guest *guest,
			 struct result_sample *s)
{
	json_t *stats = NULL;
	char why[256];

	/* A VM that starts or ends does not answer: it counts as 0 here. */
	if (guest->pid <= 0 ||
	    stat_request(guest->socket, "/stats", NULL, &stats, why,
			 sizeof(why)))
		return;
	if (!in_cgroup(r)) {
		s->memory_bytes += stat_number(stats, "memory",
					       "resident_bytes") +
				   stat_number(stats, "store", "mem_bytes");
		s->swap_bytes += stat_number(stats, "memory", "swapped_bytes");
		s->brought_back += stat_number(stats, "engine", "nr_refaults");
	} else {
		s->brought_back += stat_number(stats, "store", "nr_faults");
	}
	s->evicted += stat_number(stats, "engine", "nr_evicted");
	s->refaults += stat_number(stats, "engine", "nr_refaults");
	s->scan_cpu_s += stat_number(stats, "engine", "scan_cpu_ns") * 1e-9;
	s->balloon_bytes += stat_number(stats, "balloon", "actual_bytes");
	json_decref(stats);
}

/* Seconds of CPU of all its threads: vCPUs, and those that reclaim. */
static double cpu_of(const struct guest *guest)
{
	struct timespec t;
	clockid_t clock;

	if (guest->pid <= 0 || clock_getcpuclockid(guest->pid, &clock) ||
	    clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sample(struct run *r)
{
	bool ask = r->policy->kind == PLAN_VMM ||
		   r->policy->kind == PLAN_BALLOON || !in_cgroup(r);
	struct result_sample s = { 0 };
	struct cgroup_usage usage;
	uint64_t now = clock_now_ns();

	/* conclude() makes it relative to the time when all ran. */
	s.t_s = (double)(now - r->begun_ns) * 1e-9;
	if (in_cgroup(r) && !cgroup_read(&r->cgroup, &usage)) {
		s.memory_bytes = (double)usage.memory_bytes;
		s.swap_bytes = (double)usage.swap_bytes;
		s.brought_back = (double)usage.major_faults;
	}
	for (unsigned int i = 0; i < r->nr_started; i++)
		s.cpu_s += cpu_of(&r->guests[i]);
	for (unsigned int i = 0; ask && i < r->nr_started; i++)
		sample_guest(r, &r->guests[i], &s);
	result_add_sample(r->result, &s);
}

static void set_balloons(struct run *r, const struct guest_launch *l)
{
	char why[256];

	for (unsigned int i = 0; i < r->nr_started; i++) {
		uint64_t share = guest_share(l, i);
		uint64_t mem = l->plan->guests[i].mem_bytes;
		json_t *answer = NULL, *body;

		body = json_pack("{s:I}", "target", (json_int_t)
				 (mem > share ? mem - share : 0));
		if (stat_request(r->guests[i].socket, "/balloon", body, &answer,
				 why, sizeof(why)))
			fail(r, why);
		json_decref(answer);
		json_decref(body);
	}
}

static void show_progress(const struct run *r)
{
	const struct run_context *ctx = r->ctx;
	const struct result_run *res = r->result;
	const struct result_sample *last = res->nr_samples ?
		&res->samples[res->nr_samples - 1] : NULL;

	double t = (double)(clock_now_ns() - (r->all_run_ns ? r->all_run_ns :
					      r->begun_ns)) * 1e-9;

	if (!ctx->terminal || !last)
		return;
	fprintf(stderr, "\r\033[K[%u/%u] %s, %s, repetition %u: %s %.0f s, "
		"%.0f MiB", ctx->nr, ctx->nr_runs, r->policy->name,
		ctx->plan->limits[res->limit].text, res->repetition + 1,
		!r->all_run_ns ? "starting" :
		t < (double)ctx->plan->warmup_s ? "warming up" :
		t < (double)(ctx->plan->warmup_s + ctx->plan->seconds) ?
		"measuring" : "checking", t,
		last->memory_bytes / 1048576);
	if (res->nr_intervals)
		fprintf(stderr, ", guest %u: %.0f ops/s",
			res->intervals[res->nr_intervals - 1].guest,
			res->intervals[res->nr_intervals - 1].ops_per_s);
	fflush(stderr);
}

static void poll_guests(struct run *r)
{
	struct pollfd fds[PLAN_MAX_GUESTS];
	struct guest *which[PLAN_MAX_GUESTS];
	uint64_t now = clock_now_ns();
	int ms = r->next_ns > now ? (int)((r->next_ns - now) / NSEC_PER_MSEC) :
		 0;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < r->nr_started; i++) {
		if (r->guests[i].pid <= 0)
			continue;
		fds[nr] = (struct pollfd){ .fd = r->guests[i].out,
					   .events = POLLIN };
		which[nr++] = &r->guests[i];
	}
	if (poll(fds, nr, ms) <= 0)
		return;
	for (unsigned int i = 0; i < nr; i++)
		if (fds[i].revents)
			guest_read(which[i]);
}

/* The first failure is the reason; guests stopped because of it are not. */
static bool find_failure(struct run *r)
{
	char text[256];

	for (unsigned int i = 0; i < r->nr_started; i++) {
		if (!*r->guests[i].why)
			continue;
		snprintf(text, sizeof(text), "guest %u: %s", i,
			 r->guests[i].why);
		fail(r, text);
		return true;
	}
	return false;
}

/* Until all guests ended, one failed, time is up, or a stop is requested. */
static void watch(struct run *r, const struct guest_launch *l)
{
	const struct plan *plan = l->plan;
	uint64_t end = r->begun_ns + (plan->timeout_s + plan->warmup_s +
				      plan->seconds) * NSEC_PER_SEC;

	while (nr_alive(r) && !*r->ctx->stop) {
		poll_guests(r);
		if (find_failure(r))
			return;
		if (!r->all_run_ns && all_run(r)) {
			r->all_run_ns = clock_now_ns();
			if (r->policy->kind == PLAN_BALLOON)
				set_balloons(r, l);
		}
		if (clock_now_ns() >= end) {
			fail(r, "the guests did not end in time (timeout_s)");
			return;
		}
		if (clock_now_ns() < r->next_ns)
			continue;
		r->next_ns += plan->sample_ms * NSEC_PER_MSEC;
		sample(r);
		show_progress(r);
	}
}

static int make_cgroup(struct run *r, uint64_t limit, char *why, size_t len)
{
	const struct run_context *ctx = r->ctx;
	int rc;

	if (!ctx->parent) {
		snprintf(why, len, "no memory cgroup, so no limit");
		return r->policy->cgroup ? -ENOENT : 0;
	}
	rc = cgroup_new(&r->cgroup, ctx->parent, r->policy->cgroup ? limit : 0,
			r->policy->high, why, len);
	if (rc)
		return r->policy->cgroup ? rc : 0;
	snprintf(r->copy, sizeof(r->copy), "%s/vmm", ctx->work);
	r->pin_pid = file_pin_start(&r->cgroup, ctx->program, r->copy);
	if (r->pin_pid > 0)
		return 0;
	snprintf(why, len, "cannot run %.128s in the cgroup: %s", r->copy,
		 error_text((int)-r->pin_pid));
	return (int)r->pin_pid;
}

static int start_guests(struct run *r, struct guest_launch *l, char *why,
			size_t len)
{
	char log[4096];
	int rc = 0;

	for (unsigned int i = 0; !rc && i < l->plan->nr_guests; i++) {
		struct guest *guest = &r->guests[i];

		guest->index = i;
		guest->run = r->result;
		guest->result = &r->result->guests[i];
		snprintf(guest->socket, sizeof(guest->socket), "%s/%u.sock",
			 r->ctx->work, i);
		snprintf(log, sizeof(log), "%s/logs/run-%03u-guest-%u.log",
			 r->ctx->dir, r->ctx->nr, i);
		l->log_path = log;
		r->nr_started++;
		rc = guest_start(guest, l);
		if (rc)
			snprintf(why, len, "cannot start guest %u: %s", i,
				 error_text(-rc));
	}
	return rc;
}

/* Completes the result at the end of a run. */
static void conclude(struct run *r)
{
	double start = (double)((r->all_run_ns ? r->all_run_ns :
				 clock_now_ns()) - r->begun_ns) * 1e-9;

	find_failure(r);
	for (size_t i = 0; i < r->result->nr_samples; i++)
		r->result->samples[i].t_s -= start;
	result_complete(r->result, r->ctx->plan);
	r->result->ok = !*r->result->why;
}

int run_once(const struct run_context *ctx, struct result_run *result)
{
	const struct plan *plan = ctx->plan;
	struct run *r = calloc(1, sizeof(*r));
	struct guest_launch l = {
		.plan = plan, .policy = &plan->policies[result->policy],
		.limit_bytes = plan->limits[result->limit].bytes,
		.repetition = result->repetition, .payload = ctx->payload,
		.program = ctx->program,
	};
	char why[256] = "";

	if (!r)
		return -ENOMEM;
	r->ctx = ctx;
	r->result = result;
	r->policy = l.policy;
	if (getloadavg(&result->load, 1) != 1)
		result->load = 0;
	r->begun_ns = r->next_ns = clock_now_ns();
	if (make_cgroup(r, l.limit_bytes, why, sizeof(why))) {
		fail(r, why);
		goto out;
	}
	if (in_cgroup(r)) {
		l.cgroup = &r->cgroup;
		l.program = r->copy;
	}
	if (start_guests(r, &l, why, sizeof(why)))
		fail(r, why);
	else
		watch(r, &l);
	if (*ctx->stop)
		fail(r, "interrupted");
out:
	for (unsigned int i = 0; i < r->nr_started; i++)
		guest_stop(&r->guests[i]);
	if (*r->copy)
		file_pin_stop(r->pin_pid, r->copy);
	cgroup_remove(&r->cgroup);
	conclude(r);
	free(r);
	return *ctx->stop ? -EINTR : 0;
}
