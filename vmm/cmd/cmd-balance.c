// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm balance: one target for all guests of the host, met by changing the
 * target of each.  balance/balance.c decides, balance/guests.c talks to the
 * guests.
 */
#include "config.h"

#include <jansson.h>
#include <poll.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/balance/guests.h"
#include "vmm/cmd/cmd.h"
#include "vmm/mem/addr.h"
#include "vmm/util/error-text.h"
#include "vmm/util/json-text.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"
#include "vmm/util/stop-guard.h"

/* If it cannot be measured; then only ratios between guests matter. */
#define ASSUMED_REFAULT_NS 10000.0
#define DEFAULT_PERIOD_MS 5000

enum { OPT_GUEST = 1 };

struct balance {
	char *target, *keep_free, *config_file, *period;	/* owned */
	char *texts[BALANCE_MAX_GUESTS];	/* of --guest; owned */
	unsigned int nr_texts;
	int once, dry_run, json, restore, named_only;
	uint64_t period_ms;
	struct balance_config config;
	struct balance_guests all;
	struct balance_result result;
	uint64_t total;			/* pages */
};

static const struct key option_keys[] = {
	{ "--target", KEY_SIZE, KEY_MEMBER(struct balance, config.target_bytes),
	  .min = 1 },
	{ "--keep-free", KEY_SIZE,
	  KEY_MEMBER(struct balance, config.free_bytes), .min = 1 },
	{ "--period", KEY_SECONDS, KEY_MEMBER(struct balance, period_ms),
	  .min = 100, .max = 3600000 },
	{ .name = NULL },
};

static int check(struct balance *b)
{
	char why[512];
	int rc;

	/* The command line overrides the file. */
	if (b->target || b->keep_free)
		b->config.target_bytes = b->config.free_bytes = 0;
	rc = cmd_set_option(option_keys, "--target", b->target, b);
	if (!rc)
		rc = cmd_set_option(option_keys, "--keep-free", b->keep_free,
				    b);
	if (!rc)
		rc = cmd_set_option(option_keys, "--period", b->period, b);
	if (rc)
		return rc;
	if (balance_config_check(&b->config, why, sizeof(why))) {
		log_error("%s", why);
		return VMM_EXIT_USAGE;
	}
	if (b->named_only && !b->config.nr_rules) {
		log_error("--named-only needs guests: name them with --guest "
			  "or --config");
		return VMM_EXIT_USAGE;
	}
	return VMM_EXIT_OK;
}

static int parse(struct balance *b, poptContext popt,
		 const struct poptOption *table)
{
	char why[512];
	int opt;

	while ((opt = cmd_next_option(popt, table)) > 0) {
		if (b->nr_texts == BALANCE_MAX_GUESTS) {
			log_error("--guest: too many guests: at most %d are "
				  "allowed", BALANCE_MAX_GUESTS);
			return VMM_EXIT_USAGE;
		}
		b->texts[b->nr_texts++] = poptGetOptArg(popt);
	}
	if (opt < -1)
		return cmd_bad_option(popt, opt);
	if (poptPeekArg(popt)) {
		log_error("balance: unexpected argument '%s': name guests with "
			  "--guest NAME", poptPeekArg(popt));
		return VMM_EXIT_USAGE;
	}
	if (b->config_file &&
	    balance_config_file(&b->config, b->config_file, why,
				sizeof(why))) {
		log_error("--config %s", why);
		return VMM_EXIT_USAGE;
	}
	for (unsigned int i = 0; i < b->nr_texts; i++)
		if (balance_config_guest(&b->config, b->texts[i], why,
					 sizeof(why))) {
			log_error("--guest %s: %s", b->texts[i], why);
			return VMM_EXIT_USAGE;
		}
	return check(b);
}

static json_t *guest_json(const struct balance_member *m,
			  const struct balance_guest *g, uint64_t before)
{
	json_t *j = json_pack("{s:o, s:b, s:b, s:I, s:I, s:I, s:I, s:I}",
		"name", json_text_new(m->name), "answers", m->responds,
		"fixed", g->fixed,
		"resident_bytes", (json_int_t)(g->resident << VMM_PAGE_SHIFT),
		"swapped_bytes", (json_int_t)(g->swapped << VMM_PAGE_SHIFT),
		"target_before_bytes", (json_int_t)before,
		"target_bytes", (json_int_t)(g->fixed ? before :
					     g->target << VMM_PAGE_SHIFT),
		"part_bytes", (json_int_t)(g->part << VMM_PAGE_SHIFT));

	json_object_set_new(j, "refaults_per_s",
			    json_real(g->refaults_per_s));
	json_object_set_new(j, "refault_ns", json_real(g->refault_ns));
	/* JSON has no infinity, which means that nothing can be taken. */
	if (g->loss < 1e300)
		json_object_set_new(j, "slice_loss_ns_per_s",
				    json_real(g->loss));
	if (g->gain >= 0)
		json_object_set_new(j, "slice_gain_ns_per_s",
				    json_real(g->gain));
	if (*m->why)
		json_object_set_new(j, "error", json_text_new(m->why));
	return j;
}

static void print_json(const struct balance *b, const uint64_t *before)
{
	json_t *guests = json_array(), *j;

	for (size_t i = 0; i < b->all.nr; i++)
		json_array_append_new(guests,
				      guest_json(&b->all.members[i],
						 &b->all.guests[i],
						 before[i]));
	j = json_pack("{s:I, s:I, s:I, s:b, s:o}",
		"total_bytes", (json_int_t)(b->total << VMM_PAGE_SHIFT),
		"sum_bytes", (json_int_t)(b->result.sum << VMM_PAGE_SHIFT),
		"moved_bytes", (json_int_t)(b->result.moved << VMM_PAGE_SHIFT),
		"minima_cut", b->result.minima_cut, "guests", guests);
	json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	fflush(stdout);
	json_decref(j);
}

static const char *pages_text(uint64_t pages, char buf[16])
{
	return size_format(pages << VMM_PAGE_SHIFT, buf, 16);
}

static void print_table(const struct balance *b, const uint64_t *before)
{
	char a[16], c[16], d[16];

	printf("%s for %zu guests, %s moved%s\n", pages_text(b->total, a),
	       b->all.nr, pages_text(b->result.moved, c),
	       b->result.minima_cut ? "; too little for the min= of all" : "");
	printf("  %-16s %10s %10s %10s %11s\n", "guest", "resident", "before",
	       "target", "refaults/s");
	for (size_t i = 0; i < b->all.nr; i++) {
		const struct balance_guest *g = &b->all.guests[i];
		const char *why = b->all.members[i].why;

		printf("  %-16s %10s %10s %10s %11.1f%s%s\n",
		       b->all.members[i].name, pages_text(g->resident, a),
		       before[i] ? size_format(before[i], c, sizeof(c)) :
				   "none",
		       g->fixed ? "unchanged" : pages_text(g->target, d),
		       g->refaults_per_s, *why ? "  " : "", why);
	}
	fflush(stdout);
}

static uint64_t resident_of_all(const struct balance *b)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < b->all.nr; i++)
		sum += b->all.guests[i].resident;
	return sum;
}

/* Pages for all guests: the target, or what leaves free_bytes available. */
static uint64_t find_total(const struct balance *b)
{
	uint64_t have, keep = b->config.free_bytes;

	if (b->config.target_bytes)
		return b->config.target_bytes >> VMM_PAGE_SHIFT;
	have = (resident_of_all(b) << VMM_PAGE_SHIFT) +
	       balance_host_available();
	return (have > keep ? have - keep : 0) >> VMM_PAGE_SHIFT;
}

static void one_round(struct balance *b)
{
	uint64_t before[BALANCE_MAX_GUESTS];

	for (size_t i = 0; i < b->all.nr; i++)
		before[i] = b->all.members[i].sent_target;
	b->total = find_total(b);
	balance_decide(b->all.guests, b->all.nr, b->total, &b->result);
	if (!b->dry_run)
		balance_guests_set_targets(&b->all);
	if (b->json)
		print_json(b, before);
	else
		print_table(b, before);
}

/* True: a signal was received. */
static bool wait_for_signal(int stop_fd, uint64_t ms)
{
	struct pollfd p = { .fd = stop_fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* Rates need two samples: no decision follows the first one. */
static int run(struct balance *b)
{
	int stop_fd = stop_guard_start_server();

	if (stop_fd < 0) {
		log_error("cannot set up signal handling: %s",
			  error_text(-stop_fd));
		return VMM_EXIT_FAILURE;
	}
	b->all.config = &b->config;
	b->all.named_only = b->named_only;
	b->all.stop_fd = stop_fd;
	b->all.swap_ns = balance_swap_cost_ns();
	if (!b->all.swap_ns)
		b->all.swap_ns = ASSUMED_REFAULT_NS;
	log_debug("a refault from swap costs %.0f ns", b->all.swap_ns);
	balance_guests_poll(&b->all);
	do {
		if (wait_for_signal(stop_fd, b->period_ms))
			break;
		balance_guests_poll(&b->all);
		/* No decision from a sample that a stop cut short. */
		if (stop_guard_is_stopping())
			break;
		one_round(b);
	} while (!b->once && !ferror(stdout));
	if (b->once && !b->all.nr) {
		log_error("no VM is running that could be balanced: start some "
			  "with `vmm run`, or name their sockets with --guest "
			  "NAME,socket=PATH");
		return VMM_EXIT_FAILURE;
	}
	if (b->restore && !b->dry_run)
		balance_guests_restore(&b->all);
	return VMM_EXIT_OK;
}

int cmd_balance(int argc, char **argv)
{
	struct balance *b = calloc(1, sizeof(*b));
	poptContext popt;
	int rc;

	if (!b) {
		log_error("out of memory");
		return VMM_EXIT_FAILURE;
	}
	b->period_ms = DEFAULT_PERIOD_MS;
	const struct poptOption options[] = {
		{ "target", 't', POPT_ARG_STRING, &b->target, 0,
		  "target of the resident memory of all guests together",
		  "SIZE" },
		{ "keep-free", 'f', POPT_ARG_STRING, &b->keep_free, 0,
		  "or: memory to keep available on the host", "SIZE" },
		{ "guest", 'g', POPT_ARG_STRING, NULL, OPT_GUEST,
		  "NAME[,shares=N][,min=SIZE][,max=SIZE][,socket=PATH]; repeat "
		  "for more", "GUEST" },
		{ "config", 'c', POPT_ARG_STRING, &b->config_file, 0,
		  "the same from a JSON file", "FILE" },
		{ "named-only", 0, POPT_ARG_NONE, &b->named_only, 0,
		  "do not change guests that are not named", NULL },
		{ "period", 'p', POPT_ARG_STRING, &b->period, 0,
		  "time between two decisions (5)", "SECONDS" },
		{ "once", '1', POPT_ARG_NONE, &b->once, 0,
		  "read statistics twice, a period apart, decide once, and "
		  "exit", NULL },
		{ "dry-run", 0, POPT_ARG_NONE, &b->dry_run, 0,
		  "show decisions without changing guests", NULL },
		{ "restore", 0, POPT_ARG_NONE, &b->restore, 0,
		  "restore the guests' original policies at the end", NULL },
		{ "json", 'j', POPT_ARG_NONE, &b->json, 0,
		  "print a JSON object per decision, one per line", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};

	popt = poptGetContext(argv[0], argc, (const char **)argv, options, 0);
	poptSetOtherOptionHelp(popt, "--target SIZE [OPTION...]");
	rc = parse(b, popt, options);
	poptFreeContext(popt);
	if (!rc)
		rc = run(b);
	free(b->target);
	free(b->keep_free);
	free(b->config_file);
	free(b->period);
	for (unsigned int i = 0; i < b->nr_texts; i++)
		free(b->texts[i]);
	free(b);
	return rc;
}
