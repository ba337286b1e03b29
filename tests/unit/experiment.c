// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of `vmm experiment` that need no guest: which files are refused and
 * at which line, the guests' arguments, the handling of their output,
 * statistics, and cgroups of both versions in a made-up tree.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/experiment/cgroup.h"
#include "vmm/experiment/chart.h"
#include "vmm/experiment/guest.h"
#include "vmm/experiment/plan.h"
#include "vmm/experiment/report.h"
#include "vmm/util/cleanup.h"

static char dir[] = "/tmp/vmm-experiment-test-XXXXXX";
static char why[1024];

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_text(const char *name, const char *text)
{
	__cleanup_fclose FILE *f = fopen(in_dir(name), "w");

	if (!f || fputs(text, f) < 0)
		tap_bail("can't write %s", in_dir(name));
}

static char *read_text(const char *name)
{
	__cleanup_fclose FILE *f = fopen(in_dir(name), "r");
	char *text = calloc(1, 1 << 16);

	if (f && text)
		text[fread(text, 1, (1 << 16) - 1, f)] = 0;
	return text;
}

static int load(struct plan *plan, const char *text,
		const struct plan_override *o)
{
	static const struct plan_override none;

	write_text("plan.json", text);
	return plan_load(plan, in_dir("plan.json"), o ? o : &none, why,
			 sizeof(why));
}

static void test_refusals(void)
{
	static const struct {
		const char *text, *error;
	} t[] = {
		{ "{\n \"name\": \"a\",\n \"seconds\" 3}", "plan.json:3:" },
		{ "[]", "must be an object" },
		{ "{}", "needs a name" },
		{ "{\"name\": \"A b\"}", "plan.json:1: name:" },
		{ "{\"name\": \"a\"}", "guests: must be a list" },
		{ "{\"name\": \"a\",\n\n\"colour\": 1}",
		  "plan.json:3: colour: unknown; expected one of name, about" },
		{ "{\"name\": \"a\",\n\"seconds\": 0}",
		  "plan.json:2: seconds: must be a number from 1" },
		{ "{\"name\": \"a\", \"guests\": [{\"mem\": \"64M\"}],"
		  "\"policies\": [{\"kind\": \"none\"}],"
		  "\"quick\": {\"policies\": \"none\"}}",
		  "policies: must be a list of names" },
		{ "{\"name\": \"a\",\n\"seconds\": \"3\"}",
		  "plan.json:2: seconds: must be a number" },
		{ "{\"name\": \"a\", \"name\": \"b\"}", "duplicate" },
		{ "{\"name\": \"a\", \"guests\": [{\"mem\": \"256M\"},\n"
		  "{\"mem\": \"4M\"}]}",
		  "plan.json:2: mem: must be a size" },
		{ "{\"name\": \"a\", \"guests\": [{\"cpus\": 1},\n"
		  "{\"cpus\": 1,\n\"cpu\": 1}]}", "plan.json:3: cpu: unknown" },
		{ "{\"name\": \"a\", \"guests\": [{\"workload\": {\n"
		  "\"speed\": 3}}]}", "plan.json:2: speed: not an argument of" },
		{ "{\"name\": \"a\", \"guests\": [{\"workload\": {\n"
		  "\"pattern\": \"zipf --rm\"}}]}",
		  "plan.json:2: pattern: must be a word" },
		{ "{\"name\": \"a\", \"guests\": [{\"kind\": \"linux\"}]}",
		  "needs a kernel" },
		{ "{\"name\": \"a\", \"guests\": [{\n\"kernel\": \"x\"}]}",
		  "plan.json:2: kernel: is for guests" },
		{ "{\"name\": \"a\", \"guests\": [{}], \"policies\": [\n"
		  "{\"kind\": \"magic\"}]}", "plan.json:2: kind: unknown" },
		{ "{\"name\": \"a\", \"guests\": [{}],\n\"policies\": ["
		  "{\"kind\": \"none\"}, {\"kind\": \"none\"}]}",
		  "plan.json:2: policies: two policies have the name none" },
		{ "{\"name\": \"a\", \"guests\": [{}], \"policies\": [\n"
		  "{\"kind\": \"none\", \"sink\": \"swap\"}]}",
		  "plan.json:2: kind: only the kind vmm" },
		{ "{\"name\": \"a\", \"guests\": [{}],\n\"policies\": ["
		  "{\"kind\": \"balloon\"}]}", "plan.json:2: policies: a ball" },
		{ "{\"name\": \"a\", \"guests\": [{}], \"policies\": ["
		  "{\"kind\": \"none\"}],\n\"limits\": [\"50%\", \"101%\"]}",
		  "plan.json:2: limits: each must" },
		{ "{\"name\": \"a\", \"guests\": [{}], \"policies\": ["
		  "{\"kind\": \"none\"}],\n\"quick\": {\n\"warmup\": 1}}",
		  "plan.json:3: warmup: unknown" },
		{ "{\"name\": \"a\", \"guests\": [{\"count\": 33},"
		  "{\"count\": 32}]}", "more than 64" },
	};
	struct plan plan;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ok(load(&plan, t[i].text, NULL) && strstr(why, t[i].error),
		   "refused: %s (%s)", t[i].error, why);
	ok(plan_load(&plan, "/nonexistent", &(struct plan_override){ 0 }, why,
		     sizeof(why)) && strstr(why, "/nonexistent"),
	   "a file that is not there");
}

static const char good[] =
	"{\"name\": \"good\", \"guests\": [{\"mem\": \"64M\", \"count\": 2,"
	"  \"workload\": {\"pattern\": \"zipf\", \"hot\": 7, \"agent\": true},"
	"  \"options\": [\"--verbose\"]},"
	"  {\"kind\": \"linux\", \"kernel\": \"K\", \"initrd\": \"I\","
	"   \"mem\": \"128M\", \"cmdline\": \"x=y\"}],"
	" \"limits\": [\"50%\", \"100M\"],"
	" \"policies\": [{\"kind\": \"linux-swap\"}, {\"kind\": \"vmm\","
	"   \"name\": \"v\", \"sink\": \"store\", \"reclaim\": \"idle=3\","
	"   \"target_percent\": 50}],"
	" \"seconds\": 9, \"warmup_s\": 3, \"sample_ms\": 250,"
	" \"quick\": {\"seconds\": 2, \"mem\": \"32M\","
	"   \"policies\": [\"v\"]}}";

static bool has_words(const struct guest_args *a, const char *one,
		      const char *two)
{
	for (unsigned int i = 2; i + 1 < a->nr; i++)
		if (!strcmp(a->argv[i], one) && !strcmp(a->argv[i + 1], two))
			return true;
	return false;
}

static void test_plan(void)
{
	const struct plan_override quick = { .quick = true, .repetitions = 7 };
	struct guest guest = { .index = 1, .socket = "/s" };
	struct guest_args a;
	struct guest_launch l;
	struct plan plan;

	if (load(&plan, good, NULL))
		tap_bail("%s", why);
	is_int(plan.nr_guests, 3, "guests are multiplied out");
	is_int((long long)plan.limits[0].bytes, 128 << 20,
	       "a limit in percent is of all memory");
	is_int((long long)plan.limits[1].bytes, 100 << 20, "or a size");
	ok(plan.policies[0].cgroup && !plan.policies[1].cgroup,
	   "linux-swap is limited by a cgroup, vmm is not");
	l = (struct guest_launch){
		.plan = &plan, .policy = &plan.policies[1], .repetition = 4,
		.limit_bytes = plan.limits[0].bytes, .payload = "P",
	};
	is_int(guest_make_args(&guest, &l, &a), 0, "arguments");
	ok(has_words(&a, "--kernel", "P") && has_words(&a, "--socket", "/s") &&
	   has_words(&a, "--sink", "store") && has_words(&a, "--cpus", "1"),
	   "have the payload, the socket and the sink");
	ok(has_words(&a, "--reclaim", "target=16777216,idle=3"),
	   "the target is half of the guest's share of the limit");
	ok(has_words(&a, "--cmdline", "pattern=zipf hot=7 agent=1 seconds=12 "
		     "warmup_ms=3000 report_ms=250 latency=1 seed=105"),
	   "the command line is the workload's and the runner's");
	guest.index = 2;
	l.policy = &plan.policies[0];
	guest_make_args(&guest, &l, &a);
	ok(has_words(&a, "--kernel", "K") && has_words(&a, "--initrd", "I") &&
	   has_words(&a, "--abits", "none") && !has_words(&a, "--sink", "store"),
	   "another policy, another guest");
	plan_free(&plan);

	if (load(&plan, good, &quick))
		tap_bail("%s", why);
	ok(plan.seconds == 2 && plan.mem_bytes == 96 << 20 &&
	   plan.nr_policies == 1 && !strcmp(plan.policies[0].name, "v") &&
	   plan.repetitions == 7, "--quick and other options replace");
	plan_free(&plan);
}

static void take(struct guest *guest, const char *text)
{
	guest_take(guest, text, strlen(text));
}

static void test_lines(void)
{
	struct result_run run = { 0 };
	struct guest guest = { .index = 2, .log = -1, .max_intervals = 3,
			       .run = &run, .result = &run.guests[2] };
	static char flood[10000];

	take(&guest, "Linux version\r\n{\"event\":\"ru");
	ok(!guest.runs, "half a line is none");
	take(&guest, "n\"}\r\n{\"event\":\"interval\",\"t_ms\":1500,"
	     "\"ops_per_s\":30,\"p99_ns\":7}\n{broken\n{}\n[1]\n");
	ok(guest.runs, "the run has begun");
	ok(run.nr_intervals == 1 && run.intervals[0].t_s == 1.5 &&
	   run.intervals[0].guest == 2 && run.intervals[0].ops_per_s == 30 &&
	   run.intervals[0].latency_ns[RESULT_P99] == 7, "an interval");
	memset(flood, 'x', sizeof(flood) - 1);
	take(&guest, flood);
	take(&guest, "\n{\"event\":\"interval\",\"t_ms\":-5,"
	     "\"ops_per_s\":\"many\"}\n");
	ok(run.nr_intervals == 2 && run.intervals[1].t_s == 0 &&
	   run.intervals[1].ops_per_s == 0,
	   "a line without end, then one of wrong values");
	for (int i = 0; i < 9; i++)
		take(&guest, "{\"event\":\"interval\",\"t_ms\":1}\n");
	is_int((long long)run.nr_intervals, 3, "no more than there can be");
	take(&guest, "{\"event\":\"summary\",\"measured_ops_per_s\":99,"
	     "\"errors\":0,\"pages_checked\":5,\"p50_ns\":3}\n");
	ok(guest.has_summary && run.guests[2].ops_per_s == 99 &&
	   run.guests[2].pages_checked == 5 && !*guest.why, "the summary");
	take(&guest, "{\"event\":\"summary\",\"errors\":1}\n");
	ok(strstr(guest.why, "verification failed"), "one wrong page fails");
	guest.why[0] = 0;
	take(&guest, "{\"event\":\"error\",\"what\":\"a|b\\u001b[2J\"}\n");
	ok(strstr(guest.why, "a?b?[2J"), "the guest's words are made harmless");
	result_free(&run);
}

static double value_of(const struct result_run *run)
{
	return run->ops_per_s;
}

static void test_statistics(void)
{
	static const struct {
		unsigned int policy, repetition;
		bool ok;
		double ops;
	} t[] = {
		{ 0, 0, true, 10 }, { 1, 0, true, 20 },
		{ 1, 1, true, 90 }, { 0, 1, false, 1 },
		{ 0, 2, true, 40 }, { 1, 2, true, 60 },
	};
	struct result_run runs[6] = { 0 };
	struct result_spread s;
	double four[] = { 4, 1, 3, 2 };

	s = result_spread(four, 4);
	ok(s.median == 2.5 && s.least == 1 && s.most == 4, "a spread");
	for (int i = 0; i < 6; i++) {
		runs[i].policy = t[i].policy;
		runs[i].repetition = t[i].repetition;
		runs[i].ok = t[i].ok;
		runs[i].ops_per_s = t[i].ops;
	}
	s = result_of(runs, 6, 0, 0, value_of);
	ok(s.nr == 2 && s.median == 25, "failed runs don't count");
	s = result_ratio(runs, 6, 1, 0, value_of);
	ok(s.nr == 2 && s.least == 1.5 && s.most == 2,
	   "ratios are of runs of one repetition, both good");
}

static void test_window(void)
{
	const struct plan plan = { .warmup_s = 10, .seconds = 10,
				   .nr_guests = 2 };
	struct result_run run = { 0 };

	/* A page a second is refaulted until 10 s, then 100 a second. */
	for (int t = -5; t < 30; t++) {
		struct result_sample s = {
			.t_s = t, .memory_bytes = t < 10 ? 1000 :
			t <= 20 ? 200 : 5000,
			.brought_back = t < 10 ? t : 10 + 100 * (t - 10),
		};

		result_add_sample(&run, &s);
	}
	run.guests[0] = (struct result_guest){ .ops_per_s = 3, .cpu_s = 1,
					       .latency_ns = { 5 } };
	run.guests[1] = (struct result_guest){ .ops_per_s = 4, .cpu_s = 2,
					       .latency_ns = { 9 } };
	result_complete(&run, &plan);
	ok(run.memory_bytes == 200 && run.brought_back_per_s == 100 &&
	   run.memory_max_bytes == 5000, "means are of the time measured");
	ok(run.ops_per_s == 7 && run.cpu_s == 3 && run.latency_ns[0] == 9,
	   "guests: sums, and the worst latency");
	result_free(&run);
}

static void test_cgroups(void)
{
	struct cgroup_parent parent;
	struct cgroup_usage usage;
	char line[256], *text;
	struct cgroup cg;

	mkdir(in_dir("v1"), 0755);
	mkdir(in_dir("v2"), 0755);
	write_text("v2/cgroup.controllers", "cpu io\n");
	snprintf(line, sizeof(line),
		 "30 23 0:26 / %s rw - cgroup cgroup rw,memory\n"
		 "31 23 0:27 / %s rw - cgroup2 cgroup rw\n",
		 in_dir("v1"), in_dir("v2"));
	write_text("mountinfo", line);
	write_text("self", "4:memory:/\n0::/\n");
	ok(!cgroup_find(&parent, in_dir("mountinfo"), in_dir("self"), why,
			sizeof(why)) && !parent.v2 &&
	   !strcmp(parent.path, in_dir("v1")),
	   "version 1, where version 2 has no memory controller");
	ok(cgroup_new(&cg, &parent, 1 << 20, true, why, sizeof(why)) &&
	   strstr(why, "version 2"), "which has no memory.high");
	snprintf(line, sizeof(line), "v1/vmm-experiment-%d", (int)getpid());
	mkdir(in_dir(line), 0755);
	mkdir(in_dir(strcat(line, "/used")), 0755);
	ok(cgroup_new(&cg, &parent, 0, false, why, sizeof(why)) == -EEXIST &&
	   strstr(why, "earlier run"), "one that is still in use is not taken");
	rmdir(in_dir(line));
	*strrchr(line, '/') = '\0';
	ok(!cgroup_new(&cg, &parent, 0, false, why, sizeof(why)),
	   "one that is left behind is replaced");
	cgroup_remove(&cg);
	write_text("v2/cgroup.controllers", "cpu memory io\n");
	write_text("v2/cgroup.subtree_control", "");
	ok(!cgroup_find(&parent, in_dir("mountinfo"), in_dir("self"), why,
			sizeof(why)) && parent.v2, "version 2 where it has");
	text = read_text("v2/cgroup.subtree_control");
	ok(!strcmp(text, "+memory"), "and children are given it");
	free(text);

	cg = (struct cgroup){ .v2 = true };
	snprintf(cg.path, sizeof(cg.path), "%s", in_dir("v2"));
	write_text("v2/memory.current", "4096\n");
	write_text("v2/memory.swap.current", "8192\n");
	write_text("v2/memory.stat", "anon 1\npgmajfault 77\npgfault 80\n");
	ok(!cgroup_read(&cg, &usage) && usage.memory_bytes == 4096 &&
	   usage.swap_bytes == 8192 && usage.major_faults == 77,
	   "version 2 is read");
	write_text("mountinfo", "1 2 0:1 / /x rw - tmpfs tmpfs rw\n");
	ok(cgroup_find(&parent, in_dir("mountinfo"), in_dir("self"), why,
		       sizeof(why)) == -ENOENT, "or there is none");
}

static void test_chart(void)
{
	struct chart chart = { .title = "a < b & c", .x_label = "x",
			       .y_label = "y", .y_log = true, .markers = true };
	struct chart_series *s = chart_add_series(&chart, "one");
	char *text;

	is_int(chart_write(&chart, in_dir("c.svg")), -ENODATA,
	       "no chart of nothing");
	chart_add(s, 1, 0, 0, 0);
	is_int(chart_write(&chart, in_dir("c.svg")), -ENODATA,
	       "nor of what has no logarithm");
	chart_add(s, 1, 10, 5, 20);
	chart_add(s, 1, 10, 10, 10);
	chart_add(s, 2, 1000, 1000, 1000);
	is_int(chart_write(&chart, in_dir("c.svg")), 0, "a chart");
	text = read_text("c.svg");
	ok(strstr(text, "a &lt; b &amp; c") && strstr(text, "</svg>\n") &&
	   !strstr(text, "nan") && !strstr(text, "inf"), "is sound");
	free(text);
	ok(chart_write(&chart, "/dev/full"), "a full disk is an error");
	chart_free(&chart);
}

static unsigned int count_words(const char *text, const char *word)
{
	unsigned int nr = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		nr++;
	return nr;
}

/* Of three limits, the one in the middle has no good run. */
static void test_report(void)
{
	struct result_run runs[3] = {
		{ .limit = 2, .ok = true, .ops_per_s = 9 },
		{ .limit = 1 },
		{ .limit = 0, .ok = true, .ops_per_s = 7 },
	};
	struct plan plan;
	char *text;

	if (load(&plan, "{\"name\": \"a\", \"guests\": [{\"mem\": \"64M\"}], "
		 "\"policies\": [{\"kind\": \"none\"}], "
		 "\"limits\": [\"75%\", \"50%\", \"25%\"]}", NULL))
		tap_bail("%s", why);
	is_int(report_write(dir, &plan, runs, 3, "none"), 0, "a report");
	text = read_text("throughput.svg");
	is_int(count_words(text, "<circle"), 3,
	       "shows what follows a limit without a good run, and a legend");
	free(text);
	runs[0].nr_samples = 1;
	runs[0].samples = &(struct result_sample){ 0 };
	if (symlink("/dev/full", in_dir("samples.csv")))
		tap_bail("no symlink");
	is_int(result_write_csv(dir, &plan, &runs[0], true), -ENOSPC,
	       "a table is on the disk, or it is an error");
	unlink(in_dir("report.md"));
	if (symlink("/dev/full", in_dir("report.md")))
		tap_bail("no symlink");
	ok(report_write(dir, &plan, runs, 3, "none"), "as is a report");
	plan_free(&plan);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir))
		tap_bail("no directory in /tmp");
	test_refusals();
	test_plan();
	test_lines();
	test_statistics();
	test_window();
	test_cgroups();
	test_chart();
	test_report();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		printf("# %s stays\n", dir);
	return tap_done();
}
