// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm inspect: the reverse map for people, in both directions.
 *
 *   inspect page GFN        frame -> the regions and processes that map it
 *   inspect referenced GFN  frame -> the mappings used since the last call
 *   inspect pid PID         process -> its regions, how much of each is idle
 *   inspect pids            the processes that the agent reported
 *   inspect map PID         process -> the state of each of its pages
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd/cmd-client.h"
#include "vmm/cmd/cmd.h"
#include "vmm/cmd/inspect-print.h"
#include "vmm/util/log.h"
#include "vmm/util/nearest.h"
#include "vmm/util/size.h"

static void print_words(const json_t *array)
{
	const json_t *v;
	size_t i;

	json_array_foreach(array, i, v)
		printf("%s%s", i ? "," : "", client_text(v));
}

static void print_host(const json_t *j)
{
	printf("frame    0x%llx, guest physical 0x%llx, %s\n",
	       client_int(j, NULL, "gfn"), client_int(j, NULL, "gpa"),
	       json_is_true(json_object_get(j, "resident")) ? "resident" :
	       json_is_true(json_object_get(j, "swapped")) ? "in host swap" :
							    "not resident");
	if (json_object_get(j, "idle_scans"))
		printf("idle     %lld scans, list %s\n",
		       client_int(j, NULL, "idle_scans"),
		       client_string(j, NULL, "list"));
	else if (json_object_get(j, "no_ages"))
		printf("idle     not known: %s\n",
		       client_string(j, NULL, "no_ages"));
	if (json_object_get(j, "nr_evictions"))
		printf("history  evicted %lld times, refaulted %lld times\n",
		       client_int(j, NULL, "nr_evictions"),
		       client_int(j, NULL, "nr_refaults"));
}

static void print_mapping(const json_t *m)
{
	const json_t *vma = json_object_get(m, "vma");
	const json_t *accessed = json_object_get(m, "accessed");

	printf("mapped   pid %lld %s at 0x%llx in 0x%llx-0x%llx ",
	       client_int(m, NULL, "pid"), client_string(m, NULL, "comm"),
	       client_int(m, NULL, "address"), client_int(vma, NULL, "start"),
	       client_int(vma, NULL, "end"));
	inspect_print_vma_flags(json_object_get(vma, "flags"));
	if (accessed)
		printf(", %saccessed%s%s", json_is_true(accessed) ? "" : "not ",
		       json_is_true(json_object_get(m, "dirty")) ? ", dirty" :
								   "",
		       client_int(m, NULL, "level") > 1 ? ", huge" : "");
	putchar('\n');
}

/* The mappings that are not listed, and those not in the page tables. */
static void print_rest(const json_t *j, long long told)
{
	bool exact = json_is_true(json_object_get(j, "nr_mappings_is_exact"));
	long long nr = client_int(j, NULL, "nr_mappings");
	long long known = client_int(j, NULL, "mapcount");

	if (nr > told)
		printf("mapped   %s%lld more times\n", exact ? "" : "at least ",
		       nr - told);
	if (!nr)
		printf("mapped   by no process that the agent reported\n");
	/* A page that is mapped once has a _mapcount of 0. */
	if (exact && nr >= 0 && known >= nr)
		printf("stale    %lld mappings that the agent reported are not "
		       "in the page tables\n", known - nr + 1);
}

static void print_page(const json_t *j)
{
	const json_t *m, *maps = json_object_get(j, "mappings");
	size_t i;

	print_host(j);
	printf("mapping  %s, index %lld, _mapcount %lld, flags ",
	       client_string(j, NULL, "mapping"), client_int(j, NULL, "index"),
	       client_int(j, NULL, "mapcount"));
	print_words(json_object_get(j, "flags"));
	putchar('\n');
	json_array_foreach(maps, i, m)
		print_mapping(m);
	print_rest(j, json_array_size(maps));
}

static void print_referenced(const json_t *j)
{
	const json_t *u;
	size_t i;

	printf("referenced by %lld of %lld mappings, regions ",
	       client_int(j, NULL, "nr_referenced"),
	       client_int(j, NULL, "nr_mappings"));
	inspect_print_vma_flags(json_object_get(j, "vm_flags"));
	putchar('\n');
	json_array_foreach(json_object_get(j, "referenced_by"), i, u)
		printf("used     pid %lld %s at 0x%llx\n",
		       client_int(u, NULL, "pid"),
		       client_string(u, NULL, "comm"),
		       client_int(u, NULL, "address"));
	if (json_is_true(json_object_get(j, "partial")))
		printf("further mappings were not checked: the page has %lld "
		       "in all\n", client_int(j, NULL, "mapcount") + 1);
	if (!json_is_true(json_object_get(j, "has_accessed_bits")))
		printf("no page table of a process that maps it is known: "
		       "see vmm-guest-agent(8), --pgd\n");
}

static const struct inspect_view {
	const char *word, *path;
	const char *member;	/* in every answer; NULL: it is a list */
	const char *arg;	/* the number that follows; NULL: none does */
	bool changes;
	void (*print)(const json_t *j);	/* NULL: inspect_map() does it all */
} views[] = {
	{ "page", "/page/", "gfn", "GFN", false, print_page },
	{ "referenced", "/referenced/", "gfn", "GFN", true, print_referenced },
	{ "pid", "/process/", "pid", "PID", false, inspect_print_process },
	{ "pids", "/processes", NULL, NULL, false, inspect_print_processes },
	{ "map", NULL, NULL, "PID", false, NULL },
};

static const struct inspect_view *find_view(const char *word)
{
	struct nearest n = { .word = word };
	char hint[64];

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (!strcmp(word, views[i].word))
			return &views[i];
		nearest_try(&n, views[i].word);
	}
	nearest_hint(&n, hint, sizeof(hint));
	log_error("inspect: unknown word '%s'%s", word, n.name ? hint :
		  ": there are page, referenced, pid, pids, map");
	return NULL;
}

/* Whether the arguments are what the view takes; false: reported. */
static bool check_args(const struct inspect_view *view, const char *arg,
		       const char *where)
{
	const char *extra = !view->arg ? arg : view->print ? where : NULL;
	uint64_t number;

	if (extra)
		log_error("inspect %s: unexpected argument '%s'; see --help",
			  view->word, extra);
	else if (view->arg && !arg)
		log_error("inspect %s: %s is missing; see --help", view->word,
			  view->arg);
	else if (arg && !number_parse(arg, &number))
		log_error("inspect %s: %s='%s' is not a number like 4096 or "
			  "0x1000", view->word, view->arg, arg);
	else
		return true;
	return false;
}

static int show_view(struct client *c, const struct inspect_view *view,
		     const char *arg)
{
	char path[64];
	json_t *j;

	snprintf(path, sizeof(path), "%s%.40s", view->path, arg ? arg : "");
	j = view->changes ? client_post(c, path) :
			    client_request(c, path, NULL);
	if (view->member)
		j = client_expect(c, j, view->member);
	if (!j)
		return VMM_EXIT_FAILURE;
	if (c->json)
		client_print_json(j);
	else
		view->print(j);
	json_decref(j);
	return VMM_EXIT_OK;
}

int cmd_inspect(int argc, char **argv)
{
	struct client c = { 0 };
	const struct inspect_view *view;
	const char *word, *arg, *where;
	int rc;
	const struct poptOption options[] = {
		CLIENT_OPTIONS(&c),
		POPT_AUTOHELP
		POPT_TABLEEND
	};

	rc = client_open(&c, options, argc, argv, "[OPTION...] page GFN | "
			 "referenced GFN | pid PID | pids | map PID [ADDRESS|START-END|NAME]",
			 1, 3);
	if (rc)
		goto out;
	word = poptGetArg(c.popt);
	arg = poptGetArg(c.popt);
	where = poptGetArg(c.popt);
	view = find_view(word);
	if (!view || !check_args(view, arg, where))
		rc = VMM_EXIT_USAGE;
	else if (view->print)
		rc = show_view(&c, view, arg);
	else
		rc = inspect_map(&c, arg, where);
out:
	client_close(&c);
	return rc;
}
