// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ground truth for access sources: a guest touches chosen pages, and the source
 * must report these.
 *
 *   abits-truth [--abits NAME] [--mem SIZE] [--huge | --hugetlb]
 *		 [--pattern NAME[=ARG],... | all] [--rounds N] [--window MS]
 *		 [--json FILE]
 *
 * Patterns (truth-patterns.c) define what is touched, and when; --help lists
 * them.  Control windows, in which the guest touches nothing, show a source's
 * false reports.
 *
 * Threshold: precision and recall over all windows of a pattern at least 95 %,
 * in control windows at most 1 % young.  Exact sources give 100 % and 0.  Less
 * is allowed since DAMON and page_idle do not flush the TLB: a page that stayed
 * in it looks cold.  Wrong answers that the source itself marks as guesses are
 * not scored, but at most one in ten may be such: DAMON samples one page of
 * each region right before it reports, which a guest that gets no CPU time does
 * not touch again in between.  The pattern "tlb" consists only of pages that
 * may stay in the TLB: a source that is declared lossy may fail it, and the
 * recall is printed.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tests/native/truth.h"
#include "tests/tap.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/size.h"

#define HUGE_PAGES 512u

static char *opt_abits = "damon", *opt_mem = "64M", *opt_pattern = "random";
static char *opt_json;
static int opt_huge, opt_hugetlb, opt_memfd, opt_rounds = 5, opt_window_ms = 100;

static const struct poptOption options[] = {
	{ "abits", 0, POPT_ARG_STRING, &opt_abits, 0, "source", "NAME" },
	{ "mem", 0, POPT_ARG_STRING, &opt_mem, 0, "memory to touch", "SIZE" },
	{ "huge", 0, POPT_ARG_NONE, &opt_huge, 0, "huge pages", NULL },
	{ "hugetlb", 0, POPT_ARG_NONE, &opt_hugetlb, 0,
	  "huge pages of the host's pool", NULL },
	{ "memfd", 0, POPT_ARG_NONE, &opt_memfd, 0,
	  "shared memory, whatever the source would choose", NULL },
	{ "pattern", 0, POPT_ARG_STRING, &opt_pattern, 0,
	  "all, or of: random, tlb, stride, line, period; each with =ARG",
	  "NAME,..." },
	{ "rounds", 0, POPT_ARG_INT, &opt_rounds, 0,
	  "windows a pattern", "N" },
	{ "window", 0, POPT_ARG_INT, &opt_window_ms, 0,
	  "time between arm and harvest", "MS" },
	{ "json", 0, POPT_ARG_STRING, &opt_json, 0, "results", "FILE" },
	POPT_AUTOHELP POPT_TABLEEND
};

static double percent(uint64_t part, uint64_t other)
{
	return part + other ? 100.0 * part / (part + other) : 100;
}

static void table_head(void)
{
	printf("# %-12s %7s %9s %7s %7s %10s %7s %7s  %s\n", "pattern",
	       "windows", "found", "missed", "false", "idle", "grey",
	       "assumed", "recall, precision, false in control");
}

static void table_row(const char *pattern, const struct score *s,
		      const struct score *control)
{
	printf("# %-12s %7u %9llu %7llu %7llu %10llu %7llu %7llu  "
	       "%.3f %% %.3f %% %llu of %llu\n", pattern, s->windows,
	       (unsigned long long)s->hot_young,
	       (unsigned long long)s->hot_idle,
	       (unsigned long long)s->cold_young,
	       (unsigned long long)s->cold_idle,
	       (unsigned long long)s->grey, (unsigned long long)s->assumed,
	       percent(s->hot_young, s->hot_idle),
	       percent(s->hot_young, s->cold_young),
	       (unsigned long long)control->cold_young,
	       (unsigned long long)(control->cold_young + control->cold_idle));
}

static json_t *json_row(const char *pattern, const struct score *s,
			const struct score *control)
{
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, "
			 "s:i, s:I, s:I}",
			 "pattern", pattern, "windows", (int)s->windows,
			 "found", (json_int_t)s->hot_young,
			 "missed", (json_int_t)s->hot_idle,
			 "false", (json_int_t)s->cold_young,
			 "idle", (json_int_t)s->cold_idle,
			 "grey", (json_int_t)s->grey,
			 "assumed", (json_int_t)s->assumed,
			 "recall_percent", percent(s->hot_young, s->hot_idle),
			 "precision_percent",
			 percent(s->hot_young, s->cold_young),
			 "control_windows", (int)control->windows,
			 "control_false", (json_int_t)control->cold_young,
			 "control_idle", (json_int_t)control->cold_idle);
}

static void judge(const char *pattern, bool may_miss,
		  const struct score *s, const struct score *control)
{
	double recall = percent(s->hot_young, s->hot_idle);
	double precision = percent(s->hot_young, s->cold_young);
	double false_young = percent(control->cold_young, control->cold_idle);
	char name[64];

	snprintf(name, sizeof(name), "%s: recall %.3f %% >= 95 %%", pattern,
		 recall);
	if (may_miss && recall < 95) {
		tap_skip(name, "this source flushes no TLB, and the pages never "
			 "leave it: see docs/access.md");
	} else {
		ok(s->hot_young, "%s: hot pages were seen", pattern);
		ok(recall >= 95, "%s", name);
	}
	ok(precision >= 95, "%s: precision %.3f %% >= 95 %%", pattern,
	   precision);
	ok(s->assumed <= (s->hot_young + s->hot_idle + s->cold_young +
			  s->cold_idle) / 10,
	   "%s: %llu wrong guesses, one in ten at most", pattern,
	   (unsigned long long)s->assumed);
	ok(control->windows && false_young <= 1,
	   "%s: control: %.3f %% young <= 1 %%", pattern, false_young);
}

/* "NAME" or "NAME=ARG". */
static const struct pattern *find_pattern(const char *text, unsigned int *arg)
{
	size_t len = strcspn(text, "=");
	char *end = "";
	unsigned long given = 0;

	for (const struct pattern *p = truth_patterns; p->name; p++) {
		if (strlen(p->name) != len || strncmp(p->name, text, len))
			continue;
		if (text[len])
			given = strtoul(text + len + 1, &end, 10);
		if (*end || (text[len] && (!given || given > 1000000)))
			return NULL;
		*arg = text[len] ? given : p->arg;
		return p;
	}
	return NULL;
}

/* One pattern, or all. */
static void run(struct truth *t, const char *text, json_t *rows)
{
	struct score s = { 0 }, control = { 0 };
	unsigned int arg;
	const struct pattern *p = find_pattern(text, &arg);
	int err;

	if (!p) {
		for (p = truth_patterns; p->name; p++)
			fprintf(stderr, "%-8s %s (%u)\n", p->name, p->what,
				p->arg);
		tap_bail("no pattern \"%s\"", text);
	}
	/* On a busy machine all touches may meet a harvest: then longer windows. */
	for (int tries = 0; ; tries++) {
		s = control = (struct score){ 0 };
		srand(1);
		err = p->run(t, arg, &s, &control);
		if (err || s.hot_young || s.hot_idle || tries == 5)
			break;
		t->window_ms *= 2;
		printf("# %s: no touch could be scored: windows of %d ms\n",
		       text, (int)t->window_ms);
	}
	if (!ok(!err, "%s: armed and harvested", text)) {
		printf("# %s\n", strerror(-err));
		return;
	}
	table_head();
	table_row(text, &s, &control);
	judge(text, t->src->lossy && !strcmp(p->name, "tlb"), &s, &control);
	json_array_append_new(rows, json_row(text, &s, &control));
}

static void run_all(struct truth *t, json_t *rows)
{
	char *save, *name;

	if (!strcmp(opt_pattern, "all")) {
		for (const struct pattern *p = truth_patterns; p->name; p++)
			run(t, p->name, rows);
		return;
	}
	for (name = strtok_r(opt_pattern, ",", &save); name;
	     name = strtok_r(NULL, ",", &save))
		run(t, name, rows);
}

/* Takes rows. */
static void write_json(const struct truth *t, json_t *rows)
{
	struct utsname uts = { 0 };
	json_t *root;

	uname(&uts);
	root = json_pack("{s:s, s:s, s:b, s:i, s:s, s:i, s:s, s:o}",
			 "test", "abits-truth", "source", opt_abits,
			 "lossy", t->src->lossy,
			 "page_kib", (int)t->unit * 4, "mem", opt_mem,
			 "window_ms", opt_window_ms, "kernel", uts.release,
			 "patterns", rows);
	if (opt_json && (!root || json_dump_file(root, opt_json,
				JSON_INDENT(1) | JSON_REAL_PRECISION(6))))
		tap_bail("%s cannot be written", opt_json);
	json_decref(root);
}

/*
 * Is it the machine that lacks what the source needs?  That is a kernel that
 * has it, root, and, of DAMON, which serves one user, that nobody else uses it.
 * Soft needs none of these.
 */
static bool may_be_missing(int err)
{
	if (!strncmp(opt_abits, "soft", 4))
		return false;
	return err == -ENOENT || tap_lacks_root(err) ||
	       (err == -EBUSY && !strncmp(opt_abits, "damon", 5));
}

/* The guest and the source, or the end of the test. */
static void set_up(struct truth *t)
{
	const struct access_source_ops *ops;
	enum guest_mem_backing backing;
	struct access_target target;
	char why[1024];
	uint64_t bytes;
	int err;

	if (size_parse(opt_mem, &bytes) || opt_rounds < 1 || opt_window_ms < 1)
		tap_bail("wrong usage, see --help");
	t->rounds = opt_rounds;
	t->window_ms = opt_window_ms;
	t->unit = opt_huge || opt_hugetlb ? HUGE_PAGES : 1;
	backing = opt_hugetlb ? GUEST_MEM_HUGETLB :
		  opt_huge ? GUEST_MEM_THP :
		  opt_memfd ? GUEST_MEM_MEMFD : GUEST_MEM_ANON;
	if (t->unit == 1 && !opt_memfd && !access_find(&ops, opt_abits, why, sizeof(why)))
		backing = ops->backing;
	if (bytes >> VMM_PAGE_SHIFT < 2 * t->unit)
		tap_bail("--mem %s: too few pages of %llu KiB", opt_mem,
			 (unsigned long long)t->unit * 4);
	err = tiny_vm_new(&t->vm, bytes >> VMM_PAGE_SHIFT, backing);
	if (err == -ENOENT || err == -EACCES)
		tap_skip_all("no /dev/kvm, or no permission to use it");
	if (err)
		tap_bail("the test's VM does not run: %s", strerror(-err));
	target = (struct access_target){ .mem = tiny_vm_mem(t->vm),
					 .vm_fd = tiny_vm_fd(t->vm) };
	err = access_open(&t->src, opt_abits, &target, why, sizeof(why));
	if (err && may_be_missing(err))
		tap_skip_all(why);
	if (err)
		tap_fail_all(why);
	t->range = tiny_vm_range(t->vm);
	t->nr_frames = guest_mem_nr_frames(target.mem);
	t->gfns = calloc(t->nr_frames, sizeof(*t->gfns));
	t->hot = bitmap_new(t->nr_frames);
	t->grey = bitmap_new(t->nr_frames);
	t->young = bitmap_new(t->nr_frames);
	t->assumed = bitmap_new(t->nr_frames);
	if (!t->gfns || !t->hot || !t->grey || !t->young || !t->assumed)
		tap_bail("no memory");
}

int main(int argc, const char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, argv, options, 0);
	json_t *rows = json_array();
	struct truth t = { 0 };

	if (poptGetNextOpt(ctx) != -1)
		tap_bail("wrong usage, see --help");
	poptFreeContext(ctx);
	set_up(&t);
	printf("# source %s, %s in pages of %llu KiB, windows of %d ms\n",
	       t.src->ops->name, opt_mem, (unsigned long long)t.unit * 4,
	       opt_window_ms);
	run_all(&t, rows);
	write_json(&t, rows);
	access_close(t.src);
	tiny_vm_free(t.vm);
	free(t.gfns);
	free(t.hot);
	free(t.grey);
	free(t.young);
	free(t.assumed);
	return tap_done();
}
