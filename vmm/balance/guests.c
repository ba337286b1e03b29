// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "vmm/balance/guests.h"
#include "vmm/host/rundir.h"
#include "vmm/mem/addr.h"
#include "vmm/stat/client.h"
#include "vmm/util/clock.h"

#define ANSWER_MS      2000
#define MAX_WAIT       16	/* looks */
#define RATE_KEEPS     0.5	/* of the rate before, in each new one */
#define FAULTS_ENOUGH  32	/* for a mean of a store's own */

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

/* Counters start again with a guest of the same name. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (now - before) / seconds : 0;
}

/* By what the guest's own store measured, else as the host's swap. */
static double refault_cost(const json_t *j, double swap_ns)
{
	uint64_t nr = number(j, "store", "nr_faults");
	uint64_t ns = number(j, "store", "fault_ns");

	return nr >= FAULTS_ENOUGH ? (double)ns / nr : swap_ns;
}

/* A guest that took the name of one that ended between two looks. */
static void note_pid(struct balance_member *m, struct balance_guest *g,
		     long long pid)
{
	if (m->nr_looks && m->pid != pid) {
		m->nr_looks = 0;
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
	if (m->nr_looks == 0) {
		m->had_enabled = json_is_true(json_object_get(policy,
							      "enabled"));
		m->had_target = number(j, "policy", "target_bytes");
		g->refaults_per_s = 0;
	} else if (m->nr_looks == 1) {
		g->refaults_per_s = r;
	} else {
		g->refaults_per_s = RATE_KEEPS * g->refaults_per_s +
				    (1 - RATE_KEEPS) * r;
	}
	m->told = json_is_true(json_object_get(policy, "enabled")) ?
		number(j, "policy", "target_bytes") : 0;
	if (!g->target)
		g->target = m->told >> VMM_PAGE_SHIFT;
	/* Before its first scan nothing is known of it. */
	g->fixed = m->refuses || !number(j, "engine", "nr_scans");
	m->refaults = refaults;
	m->seen_ns = now;
	m->nr_looks++;
}

static bool has_ended(int rc)
{
	return rc == -ECONNREFUSED || rc == -ENOENT;
}

static void ask(struct balance_guests *all, size_t i)
{
	struct balance_member *m = &all->members[i];
	json_t *j;
	int rc;

	m->present = true;
	if (m->wait) {
		m->wait--;
		return;
	}
	rc = stat_request_within(m->socket, "/stats", NULL, ANSWER_MS, &j,
				 m->why, sizeof(m->why));
	m->answers = !rc;
	if (!rc) {
		m->nr_silent = 0;
		if (!m->refuses)
			m->why[0] = 0;
		take_stats(all, i, j);
		json_decref(j);
		return;
	}
	m->present = !has_ended(rc);
	/* What it has it keeps: nobody can be told otherwise. */
	all->guests[i].fixed = true;
	m->wait = 1u << m->nr_silent;
	if (m->wait < MAX_WAIT)
		m->nr_silent++;
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
	m->rule = rule;
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

size_t balance_guests_look(struct balance_guests *all)
{
	find_guests(all);
	for (size_t i = all->nr; i-- > 0;) {
		ask(all, i);
		if (!all->members[i].present)
			remove_guest(all, i);
	}
	return all->nr;
}

static int put_policy(struct balance_member *m, bool enabled, uint64_t target)
{
	json_t *body = json_pack("{s:b, s:I}", "enabled", enabled,
				 "target_bytes", (json_int_t)target);
	json_t *answer;
	int rc = -ENOMEM;

	if (body)
		rc = stat_request_within(m->socket, "/policy", body, ANSWER_MS,
					 &answer, m->why, sizeof(m->why));
	json_decref(body);
	if (!rc)
		json_decref(answer);
	return rc;
}

size_t balance_guests_tell(struct balance_guests *all)
{
	size_t nr = 0;

	for (size_t i = 0; i < all->nr; i++) {
		struct balance_member *m = &all->members[i];
		struct balance_guest *g = &all->guests[i];
		/* 0 would mean none. */
		uint64_t bytes = (g->target ? g->target : 1) << VMM_PAGE_SHIFT;
		int rc;

		if (g->fixed || bytes == m->told)
			continue;
		rc = put_policy(m, true, bytes);
		m->refuses = rc == -EINVAL;
		g->fixed = rc;
		if (rc)
			continue;
		m->told = bytes;
		nr++;
	}
	return nr;
}

void balance_guests_restore(struct balance_guests *all)
{
	/* Who did not answer may not now, either, and time may be short: last. */
	for (int silent = 0; silent < 2; silent++)
		for (size_t i = 0; i < all->nr; i++) {
			struct balance_member *m = &all->members[i];

			if (m->nr_looks && m->answers == !silent)
				put_policy(m, m->had_enabled, m->had_target);
		}
}
