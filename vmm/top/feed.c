// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/top/feed.h"
#include "vmm/util/clock.h"
#include "vmm/util/error-text.h"
#include "vmm/util/rundir.h"

#define STATS_TIMEOUT_MS   3000
#define REQUEST_TIMEOUT_MS 10000	/* as in the other commands */

enum kind { STATS, PROCESSES, POLICY };

struct request {
	struct request *next;
	struct top_feed *feed;
	enum kind kind;
	char socket[108], name[64];	/* name: of a VM not in the model */
};

struct top_feed {
	struct top_feed_config config;
	struct stat_multi *multi;
	struct request *requests;	/* owned: those in flight */
};

/* A VM's name until it reports its own. */
static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

int top_feed_new(struct top_feed **feedp, const struct top_feed_config *config,
		 char *why, size_t len)
{
	struct top_feed *f = calloc(1, sizeof(*f));
	int rc = 0;

	if (f)
		f->multi = stat_multi_new();
	if (!f || !f->multi) {
		snprintf(why, len, "out of memory");
		free(f);
		return -ENOMEM;
	}
	f->config = *config;
	for (char *const *s = config->sockets; s && *s && !rc; s++) {
		rc = top_model_see(config->model, file_name(*s), *s, true);
		if (rc)
			snprintf(why, len, "--socket %s: %s", *s,
				 error_text(-rc));
	}
	if (rc)
		top_feed_free(f);
	else
		*feedp = f;
	return rc;
}

void top_feed_free(struct top_feed *f)
{
	struct request *r;

	if (!f)
		return;
	stat_multi_free(f->multi);
	while ((r = f->requests)) {
		f->requests = r->next;
		free(r);
	}
	free(f);
}

static bool is_pending(const struct top_feed *f, enum kind kind,
		       const char *socket)
{
	for (struct request *r = f->requests; r; r = r->next)
		if (r->kind == kind && !strcmp(r->socket, socket))
			return true;
	return false;
}

unsigned int top_feed_nr_pending(const struct top_feed *f)
{
	unsigned int nr = 0;

	for (struct request *r = f->requests; r; r = r->next)
		nr += r->kind == STATS;
	return nr;
}

/* A new VM is added when its query ends, unless its socket is stale. */
static void take_stats(struct top_feed *f, const struct request *r, int rc,
		       const json_t *answer, const char *why)
{
	struct top_model *m = f->config.model;
	struct top_guest *g = top_model_find(m, r->socket);
	struct top_sample sample;

	if (!g && *r->name && rc != -ECONNREFUSED &&
	    !top_model_see(m, r->name, r->socket, false))
		g = top_model_find(m, r->socket);
	if (!g)
		return;
	if (!rc && top_sample_parse(answer, &sample)) {
		rc = -EINVAL;
		why = "unexpected answer";
	}
	if (rc)
		top_model_failed(m, g, rc, why);
	else
		top_guest_answered(g, &sample, clock_now_ns());
	top_model_sort(m);
}

static void on_answer(void *arg, int rc, json_t *answer, const char *why)
{
	struct request done = *(struct request *)arg, **p;
	struct top_feed *f = done.feed;

	for (p = &f->requests; *p != arg; p = &(*p)->next)
		;
	*p = done.next;
	free(arg);
	if (done.kind == STATS)
		take_stats(f, &done, rc, answer, why);
	else if (done.kind == PROCESSES)
		f->config.on_processes(f->config.arg, done.socket, answer, why);
	else
		f->config.on_policy(f->config.arg, done.socket, answer, why);
	json_decref(answer);
}

static int ask(struct top_feed *f, enum kind kind, const char *socket,
	       const char *name, const char *path, const json_t *body)
{
	struct request *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->feed = f;
	r->kind = kind;
	snprintf(r->socket, sizeof(r->socket), "%s", socket);
	snprintf(r->name, sizeof(r->name), "%s", name);
	rc = stat_multi_start(f->multi, socket, path, body, kind == STATS ?
			      STATS_TIMEOUT_MS : REQUEST_TIMEOUT_MS, on_answer,
			      r);
	if (rc) {
		free(r);
		return rc;
	}
	r->next = f->requests;
	f->requests = r;
	return 0;
}

struct search {
	struct top_feed *feed;
	int rc;
};

static void see(const char *name, const char *path, void *arg)
{
	struct search *s = arg;
	struct top_feed *f = s->feed;

	if (s->rc)
		return;
	if (top_model_find(f->config.model, path))
		s->rc = top_model_see(f->config.model, name, path, false);
	else if (!is_pending(f, STATS, path))
		s->rc = ask(f, STATS, path, name, "/stats", NULL);
}

/* A domain seen by libvirt has no socket: its key in the model begins so. */
#define FLEET_KEY "libvirt:"

static int see_domain(struct top_model *m, const struct fleet_domain *d)
{
	struct top_sample s = { .by_libvirt = true };
	char name[160], key[160];
	struct top_guest *g;
	int rc;

	snprintf(name, sizeof(name), "%s:%s", d->host, d->name);
	snprintf(key, sizeof(key), FLEET_KEY "%.48s:%s", d->host, d->uuid);
	rc = top_model_see(m, name, key, false);
	g = rc ? NULL : top_model_find(m, key);
	if (!g)
		return rc;
	top_copy_text(s.name, sizeof(s.name), name);
	s.memory = d->values[FLEET_ACTUAL] != FLEET_UNKNOWN ?
			   d->values[FLEET_ACTUAL] :
		   d->values[FLEET_MAX] != FLEET_UNKNOWN ?
			   d->values[FLEET_MAX] : 0;
	if (d->values[FLEET_RSS] != FLEET_UNKNOWN)
		s.resident = d->values[FLEET_RSS];
	top_guest_answered(g, &s, clock_now_ns());
	return 0;
}

/* A host that does not answer gets a line of its own, with the reason. */
static int see_fleet(struct top_model *m, struct libvirt_fleet *fleet)
{
	struct fleet_domain *domains;
	struct top_guest *g;
	char why[192], key[108];
	int nr = libvirt_fleet_get(fleet, 0, &domains, why, sizeof(why)), rc = 0;

	if (nr < 0) {
		snprintf(key, sizeof(key), FLEET_KEY "%.98s",
			 libvirt_fleet_uri(fleet));
		rc = top_model_see(m, libvirt_fleet_uri(fleet), key, false);
		g = rc ? NULL : top_model_find(m, key);
		if (g)
			top_model_failed(m, g, nr == -ETIMEDOUT ? nr : -EIO,
					 why);
		return rc;
	}
	for (int i = 0; i < nr && !rc; i++)
		rc = see_domain(m, &domains[i]);
	free(domains);
	return rc;
}

static bool has_socket(const struct top_guest *g)
{
	return strncmp(g->socket, FLEET_KEY, strlen(FLEET_KEY));
}

int top_feed_round(struct top_feed *f)
{
	struct search s = { f, 0 };
	struct top_model *m = f->config.model;

	top_model_sweep_begin(m);
	rundir_each(see, &s);
	for (size_t i = 0; f->config.fleets && f->config.fleets[i] && !s.rc; i++)
		s.rc = see_fleet(m, f->config.fleets[i]);
	top_model_sweep_end(m);
	if (f->config.fleets)
		top_model_sort(m);
	for (size_t i = 0; i < m->nr && !s.rc; i++)
		if (has_socket(m->guests[i]) &&
		    !is_pending(f, STATS, m->guests[i]->socket))
			s.rc = ask(f, STATS, m->guests[i]->socket, "",
				   "/stats", NULL);
	return s.rc;
}

int top_feed_wait(struct top_feed *f, const int *fds, size_t nr_fds,
		  int timeout_ms)
{
	return stat_multi_wait(f->multi, fds, nr_fds, timeout_ms);
}

int top_feed_request_processes(struct top_feed *f, const char *socket)
{
	return is_pending(f, PROCESSES, socket) ? 0 :
		ask(f, PROCESSES, socket, "", "/processes", NULL);
}

int top_feed_put_policy(struct top_feed *f, const char *socket,
			const json_t *body)
{
	return ask(f, POLICY, socket, "", "/policy", body);
}
