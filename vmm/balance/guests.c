// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "vmm/balance/guests.h"
#include "vmm/client/client-multi.h"
#include "vmm/mem/addr.h"
#include "vmm/util/clock.h"
#include "vmm/util/rundir.h"

#define ANSWER_MS      2000
#define RESTORE_MS     1000	/* time available at a stop */
#define MAX_WAIT       16	/* rounds */
#define RATE_KEEPS     0.5	/* weight of the previous rate */
#define FAULTS_ENOUGH  32	/* for a meaningful mean of a store */

static uint64_t number(const json_t *j, const char *section, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(
		json_object_get(j, section), name));

	return n > 0 ? n : 0;
}

static void read_ages(const json_t *j, uint64_t ages[BALANCE_AGES])
{
	const json_t *a = json_object_get(json_object_get(j, "engine"),
					  "pages_by_idle_scans");
	size_t i;
	json_t *v;

	memset(ages, 0, BALANCE_AGES * sizeof(*ages));
	json_array_foreach(a, i, v) {
		json_int_t n = json_integer_value(v);

		if (i < BALANCE_AGES && n > 0)
			ages[i] = n;
	}
}

/* Counters restart with a new guest of the same name. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (now - before) / seconds : 0;
}

/* ns: of the guest's own store if it had enough faults, else of swap. */
static double refault_cost(const json_t *j, double swap_ns)
{
	uint64_t nr = number(j, "store", "nr_faults");
	uint64_t ns = number(j, "store", "fault_ns");

	return nr >= FAULTS_ENOUGH ? (double)ns / nr : swap_ns;
}

/* Detects a new guest that took over the name of one that ended. */
static void note_pid(struct balance_member *m, struct balance_guest *g,
		     long long pid)
{
	if (m->nr_polls && m->pid != pid) {
		m->nr_polls = 0;
		m->refuses = false;
		g->target = 0;
	}
	m->pid = pid;
}

static void take_stats(struct balance_guests *all, size_t i, const json_t *j)
{
	struct balance_member *m = &all->members[i];
	struct balance_guest *g = &all->guests[i];
	const json_t *policy = json_object_get(j, "policy");
	uint64_t refaults = number(j, "engine", "nr_refaults");
	uint64_t now = clock_now_ns();
	double r = rate(refaults, m->refaults, (now - m->seen_ns) * 1e-9);

	note_pid(m, g, json_integer_value(json_object_get(j, "pid")));
	g->memory = number(j, "memory", "bytes") >> VMM_PAGE_SHIFT;
	g->resident = number(j, "memory", "resident_bytes") >> VMM_PAGE_SHIFT;
	g->swapped = number(j, "memory", "swapped_bytes") >> VMM_PAGE_SHIFT;
	g->period_ns = number(j, "engine", "period_ns");
	g->refault_ns = refault_cost(j, all->swap_ns);
	read_ages(j, g->ages);
	if (m->nr_polls == 0) {
		m->had_enabled = json_is_true(json_object_get(policy,
							      "enabled"));
		m->had_target = number(j, "policy", "target_bytes");
		g->refaults_per_s = 0;
	} else if (m->nr_polls == 1) {
		g->refaults_per_s = r;
	} else {
		g->refaults_per_s = RATE_KEEPS * g->refaults_per_s +
				    (1 - RATE_KEEPS) * r;
	}
	m->sent_target = json_is_true(json_object_get(policy, "enabled")) ?
		number(j, "policy", "target_bytes") : 0;
	if (!g->target)
		g->target = m->sent_target >> VMM_PAGE_SHIFT;
	/* Nothing is known of it before its first scan. */
	g->fixed = m->refuses || !number(j, "engine", "nr_scans");
	m->refaults = refaults;
	m->seen_ns = now;
	m->nr_polls++;
}

/* --- requests to all guests in parallel ----------------------------------- */

struct round;

struct request {
	struct round *round;
	size_t guest;
};

typedef void answer_fn(struct balance_guests *all, size_t guest, int rc,
		       const json_t *answer, const char *why);

struct round {
	struct balance_guests *all;
	struct stat_multi *multi;	/* owned; NULL: out of memory */
	answer_fn *take;
	size_t nr_pending;
	struct request requests[BALANCE_MAX_GUESTS];
};

static void on_answer(void *arg, int rc, json_t *answer, const char *why)
{
	struct request *r = arg;

	r->round->nr_pending--;
	r->round->take(r->round->all, r->guest, rc, answer, why);
	json_decref(answer);
}

static void round_begin(struct round *r, struct balance_guests *all,
			answer_fn *take)
{
	r->all = all;
	r->take = take;
	r->nr_pending = 0;
	r->multi = stat_multi_new();
}

/* One request a guest and round. */
static void round_add(struct round *r, size_t guest, const char *path,
		      const json_t *body, long timeout_ms)
{
	r->requests[guest] = (struct request){ r, guest };
	if (r->multi && !stat_multi_start(r->multi,
					  r->all->members[guest].socket, path,
					  body, timeout_ms, on_answer,
					  &r->requests[guest]))
		r->nr_pending++;
	else
		r->take(r->all, guest, -ENOMEM, NULL, "out of memory");
}

/* Waits until all have answered, or stop_fd is readable; -1: none. */
static void round_end(struct round *r, int stop_fd)
{
	struct pollfd stop = { .fd = stop_fd, .events = POLLIN };

	while (r->nr_pending && poll(&stop, 1, 0) <= 0 &&
	       !stat_multi_wait(r->multi, &stop_fd, stop_fd >= 0, ANSWER_MS))
		;
	stat_multi_free(r->multi);
}

/* --- reading -------------------------------------------------------------- */

static bool has_ended(int rc)
{
	return rc == -ECONNREFUSED || rc == -ENOENT;
}

static void note_poll(struct balance_guests *all, size_t i, int rc,
		      const json_t *stats, const char *why)
{
	struct balance_member *m = &all->members[i];

	m->responds = !rc;
	if (!rc) {
		m->nr_silent = 0;
		if (!m->refuses)
			m->why[0] = 0;
		take_stats(all, i, stats);
		return;
	}
	snprintf(m->why, sizeof(m->why), "%s", why);
	m->present = !has_ended(rc);
	/* Without an answer its policy is not changed: it keeps its memory. */
	all->guests[i].fixed = true;
	m->wait = 1u << m->nr_silent;
	if (m->wait < MAX_WAIT)
		m->nr_silent++;
}

static void request_stats(struct balance_guests *all)
{
	struct round r;

	round_begin(&r, all, note_poll);
	for (size_t i = 0; i < all->nr; i++) {
		all->members[i].present = true;
		if (all->members[i].wait)
			all->members[i].wait--;
		else
			round_add(&r, i, "/stats", NULL, ANSWER_MS);
	}
	round_end(&r, all->stop_fd);
}

static size_t find(const struct balance_guests *all, const char *name)
{
	size_t i = 0;

	while (i < all->nr && strcmp(all->members[i].name, name))
		i++;
	return i;
}

static void add(const char *name, const char *socket, void *arg)
{
	struct balance_guests *all = arg;
	const struct balance_rule *rule;
	struct balance_member *m;

	if (find(all, name) < all->nr || all->nr == BALANCE_MAX_GUESTS ||
	    strlen(name) >= sizeof(m->name) ||
	    strlen(socket) >= sizeof(m->socket))
		return;
	rule = balance_config_find(all->config, name);
	if (!rule && all->named_only)
		return;
	m = &all->members[all->nr];
	memset(m, 0, sizeof(*m));
	strcpy(m->name, name);
	strcpy(m->socket, socket);
	all->guests[all->nr] = (struct balance_guest){
		.shares = rule ? rule->shares : 1,
		.min = rule ? rule->min_bytes >> VMM_PAGE_SHIFT : 0,
		.max = rule ? rule->max_bytes >> VMM_PAGE_SHIFT : 0,
		.fixed = true,
	};
	all->nr++;
}

static void find_guests(struct balance_guests *all)
{
	for (unsigned int i = 0; i < all->config->nr_rules; i++) {
		const struct balance_rule *r = &all->config->rules[i];

		if (*r->socket)
			add(r->name, r->socket, all);
	}
	rundir_each(add, all);
}

static void remove_guest(struct balance_guests *all, size_t i)
{
	size_t after = all->nr - i - 1;

	memmove(&all->members[i], &all->members[i + 1],
		after * sizeof(all->members[0]));
	memmove(&all->guests[i], &all->guests[i + 1],
		after * sizeof(all->guests[0]));
	all->nr--;
}

size_t balance_guests_poll(struct balance_guests *all)
{
	find_guests(all);
	request_stats(all);
	for (size_t i = all->nr; i-- > 0;)
		if (!all->members[i].present)
			remove_guest(all, i);
	return all->nr;
}

/* --- setting targets ------------------------------------------------------ */

static void add_policy(struct round *r, size_t guest, bool enabled,
		       uint64_t target, long timeout_ms)
{
	json_t *body = json_pack("{s:b, s:I}", "enabled", enabled,
				 "target_bytes", (json_int_t)target);

	if (body)
		round_add(r, guest, "/policy", body, timeout_ms);
	else
		r->take(r->all, guest, -ENOMEM, NULL, "out of memory");
	json_decref(body);
}

/* 0 would mean no target. */
static uint64_t wanted_bytes(const struct balance_guest *g)
{
	return (g->target ? g->target : 1) << VMM_PAGE_SHIFT;
}

static void note_sent(struct balance_guests *all, size_t i, int rc,
		      const json_t *answer, const char *why)
{
	struct balance_member *m = &all->members[i];
	struct balance_guest *g = &all->guests[i];

	m->refuses = rc == -EINVAL;
	g->fixed = rc;
	if (rc) {
		snprintf(m->why, sizeof(m->why), "%s", why);
		return;
	}
	m->sent_target = wanted_bytes(g);
	all->nr_sent++;
}

size_t balance_guests_set_targets(struct balance_guests *all)
{
	struct round r;

	all->nr_sent = 0;
	round_begin(&r, all, note_sent);
	for (size_t i = 0; i < all->nr; i++) {
		const struct balance_guest *g = &all->guests[i];

		if (!g->fixed && wanted_bytes(g) != all->members[i].sent_target)
			add_policy(&r, i, true, wanted_bytes(g), ANSWER_MS);
	}
	round_end(&r, all->stop_fd);
	return all->nr_sent;
}

/* The answers don't matter any more. */
static void take_restored(struct balance_guests *all, size_t i, int rc,
			  const json_t *answer, const char *why)
{
}

void balance_guests_restore(struct balance_guests *all)
{
	struct round r;

	round_begin(&r, all, take_restored);
	for (size_t i = 0; i < all->nr; i++) {
		const struct balance_member *m = &all->members[i];

		if (m->nr_polls)
			add_policy(&r, i, m->had_enabled, m->had_target,
				   RESTORE_MS);
	}
	round_end(&r, -1);
}
