// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm inspect: the reverse map for people, in both directions.
 *
 *   inspect page GFN   frame -> the regions and processes that map it
 *   inspect pid PID    process -> its regions, how much of each is idle
 *   inspect pids       which processes the agent told of
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "vmm/cmd-client.h"
#include "vmm/cmd.h"
#include "vmm/util/log.h"
#include "vmm/util/size.h"

#define PAGE_BYTES 4096

static void print_words(const json_t *array)
{
	const json_t *v;
	size_t i;

	json_array_foreach(array, i, v)
		printf("%s%s", i ? "," : "", json_string_value(v));
}

/* rwxs as in /proc/PID/maps, then the rest by name. */
static void print_vma_flags(const json_t *array)
{
	static const char *const short_names[] = { "read", "write", "exec",
						   "shared" };
	static const char letters[] = "rwxs";
	char perm[] = "---p";
	const json_t *v;
	size_t i, k;

	json_array_foreach(array, i, v)
		for (k = 0; k < 4; k++)
			if (!strcmp(json_string_value(v), short_names[k]))
				perm[k] = letters[k];
	printf("%s", perm);
	json_array_foreach(array, i, v) {
		for (k = 0; k < 4; k++)
			if (!strcmp(json_string_value(v), short_names[k]))
				break;
		if (k == 4)
			printf(" %s", json_string_value(v));
	}
}

static void print_page(const json_t *j)
{
	const json_t *m, *maps = json_object_get(j, "mappings");
	size_t i;

	printf("frame    0x%llx, guest physical 0x%llx, %s\n",
	       client_int(j, NULL, "gfn"), client_int(j, NULL, "gpa"),
	       json_is_true(json_object_get(j, "resident")) ? "resident" :
	       json_is_true(json_object_get(j, "swapped")) ? "in host swap" :
							    "not resident");
	printf("idle     %lld scans, list %s\n",
	       client_int(j, NULL, "idle_scans"),
	       client_string(j, NULL, "list"));
	printf("mapping  %s, index %lld, _mapcount %lld, flags ",
	       client_string(j, NULL, "mapping"), client_int(j, NULL, "index"),
	       client_int(j, NULL, "mapcount"));
	print_words(json_object_get(j, "flags"));
	putchar('\n');
	json_array_foreach(maps, i, m) {
		const json_t *vma = json_object_get(m, "vma");
		const json_t *accessed = json_object_get(m, "accessed");

		printf("mapped   pid %lld %s at 0x%llx in 0x%llx-0x%llx ",
		       client_int(m, NULL, "pid"),
		       client_string(m, NULL, "comm"),
		       client_int(m, NULL, "address"),
		       client_int(vma, NULL, "start"),
		       client_int(vma, NULL, "end"));
		print_vma_flags(json_object_get(vma, "flags"));
		if (accessed)
			printf(", %s", json_is_true(accessed) ? "accessed" :
								"not accessed");
		putchar('\n');
	}
	if (!json_array_size(maps))
		printf("mapped   by no process that the agent told of\n");
}

static const char *pages_text(long long pages, char buf[16])
{
	return size_format(pages * PAGE_BYTES, buf, 16);
}

static void print_region(const json_t *vma)
{
	const json_t *classes = json_object_get(vma,
						"resident_by_log2_idle_scans");
	char a[16], b[16], c[16], d[16], e[16];
	long long idle = 0;
	size_t i;

	/* Class 0 was touched in the last scan, class 1 in the one before. */
	for (i = 2; i < json_array_size(classes); i++)
		idle += json_integer_value(json_array_get(classes, i));
	printf("%012llx-%012llx %9s %9s %9s %9s %9s  ",
	       client_int(vma, NULL, "start"), client_int(vma, NULL, "end"),
	       size_format(client_int(vma, NULL, "end") -
			   client_int(vma, NULL, "start"), e, sizeof(e)),
	       pages_text(client_int(vma, NULL, "nr_mapped"), a),
	       pages_text(client_int(vma, NULL, "nr_resident"), b),
	       pages_text(idle, c),
	       pages_text(client_int(vma, NULL, "nr_swapped"), d));
	print_vma_flags(json_object_get(vma, "flags"));
	putchar('\n');
}

static void print_process(const json_t *j)
{
	const json_t *v;
	size_t i;

	printf("process  %lld %s, %lld regions, page table root %s\n",
	       client_int(j, NULL, "pid"), client_string(j, NULL, "comm"),
	       client_int(j, NULL, "nr_vmas"),
	       json_is_true(json_object_get(j, "has_pgd")) ? "known" :
							    "not known");
	printf("%-25s %9s %9s %9s %9s %9s  %s\n", "region", "size", "mapped",
	       "resident", "idle", "swapped", "flags");
	json_array_foreach(json_object_get(j, "vmas"), i, v)
		print_region(v);
}

static void print_processes(const json_t *j)
{
	const json_t *p;
	char a[16];
	size_t i;

	printf("%8s %-16s %8s %10s\n", "pid", "command", "regions", "mapped");
	json_array_foreach(j, i, p)
		printf("%8lld %-16s %8lld %10s\n", client_int(p, NULL, "pid"),
		       client_string(p, NULL, "comm"),
		       client_int(p, NULL, "nr_vmas"),
		       pages_text(client_int(p, NULL, "nr_mapped"), a));
}

static const struct view_of {
	const char *word, *path;
	bool has_arg;
	void (*print)(const json_t *j);
} views[] = {
	{ "page", "/page/", true, print_page },
	{ "pid", "/process/", true, print_process },
	{ "pids", "/processes", false, print_processes },
};

static const struct view_of *find_view(const char *word, const char *arg)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (!strcmp(word, views[i].word) && views[i].has_arg == !!arg)
			return &views[i];
	return NULL;
}

int cmd_inspect(int argc, char **argv)
{
	struct client c = { 0 };
	const struct view_of *view;
	const char *word, *arg;
	char path[64];
	json_t *j;
	int rc;
	const struct poptOption options[] = {
		CLIENT_OPTIONS(&c),
		POPT_AUTOHELP
		POPT_TABLEEND
	};

	rc = client_open(&c, options, argc, argv,
			 "[OPTION...] page GFN | pid PID | pids", 1, 2);
	if (rc)
		goto out;
	word = poptGetArg(c.popt);
	arg = poptGetArg(c.popt);
	view = find_view(word, arg);
	if (!view || (arg && strspn(arg, "0123456789abcdefxABCDEFX") !=
				     strlen(arg))) {
		log_error("inspect %s %s: say page GFN, pid PID or pids", word,
			  arg ? arg : "");
		rc = VMM_EXIT_USAGE;
		goto out;
	}
	rc = VMM_EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s%.40s", view->path, arg ? arg : "");
	j = client_request(&c, path, NULL);
	if (!j)
		goto out;
	if (c.json)
		client_print_json(j);
	else
		view->print(j);
	json_decref(j);
	rc = VMM_EXIT_OK;
out:
	client_close(&c);
	return rc;
}
