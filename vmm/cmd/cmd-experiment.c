// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm experiment: runs guests under one policy after the other, repeatedly, and
 * writes the results.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cmd/cmd.h"
#include "vmm/experiment/report.h"
#include "vmm/experiment/run.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"
#include "vmm/util/stop-guard.h"

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

#define NOT_GIVEN INT_MIN	/* of a number */

struct options {
	char *output, *payload, *kernel, *initrd;	/* malloc'ed by popt */
	int quick, list, check, repetitions, seconds;
	char file[4096], dir[4096];
};

struct session {
	struct options o;
	struct plan plan;
	struct cgroup_parent parent;
	bool has_cgroup;
	char work[64], program[4096];
	struct result_run *runs;	/* owned */
	size_t nr;
};

/* A word without '/' and '.' names an installed file. */
static void find_file(const char *word, char *file, size_t len)
{
	if (strpbrk(word, "/."))
		snprintf(file, len, "%s", word);
	else
		snprintf(file, len, "%s/%s.json", VMM_EXPERIMENTS_DIR, word);
}

static int list_ready(void)
{
	const struct plan_override any = { .kernel = "KERNEL" };
	struct dirent **entries;
	int nr = scandir(VMM_EXPERIMENTS_DIR, &entries, NULL, alphasort);
	char file[4096], why[512];
	struct plan plan;

	if (nr < 0) {
		log_error("%s: %s; `make install` installs the experiments",
			  VMM_EXPERIMENTS_DIR, error_text(errno));
		return VMM_EXIT_FAILURE;
	}
	for (int i = 0; i < nr; i++) {
		snprintf(file, sizeof(file), "%s/%s", VMM_EXPERIMENTS_DIR,
			 entries[i]->d_name);
		if (strstr(entries[i]->d_name, ".json") &&
		    !plan_load(&plan, file, &any, why, sizeof(why))) {
			printf("%-18s %s\n", plan.name,
			       plan.about ? plan.about : "");
			plan_free(&plan);
		}
		free(entries[i]);
	}
	free(entries);
	return VMM_EXIT_OK;
}

static void print_plan(const struct plan *plan)
{
	double each = (double)(plan->seconds + plan->warmup_s);
	unsigned long long runs = plan->repetitions * plan->nr_policies *
				  plan->nr_limits;

	printf("%s: %u guests, %u policies, %u limits, %llu repetitions: %llu "
	       "runs of %.0f s, %.0f minutes and more\n", plan->name,
	       plan->nr_guests, plan->nr_policies, plan->nr_limits,
	       (unsigned long long)plan->repetitions, runs, each,
	       (double)runs * each / 60);
}

static bool is_from_1_to(int most, int number)
{
	return number == NOT_GIVEN || (number >= 1 && number <= most);
}

/* VMM_EXIT_OK, or the exit status; *done: there is nothing to run. */
static int parse(struct options *o, int argc, char **argv, bool *done)
{
	const struct poptOption table[] = {
		{ "output", 'o', POPT_ARG_STRING, &o->output, 0,
		  "directory for the results, which must not exist yet",
		  "DIR" },
		{ "quick", 'q', POPT_ARG_NONE, &o->quick, 0,
		  "run a short version, to check that all works", NULL },
		{ "repetitions", 'r', POPT_ARG_INT, &o->repetitions, 0,
		  "number of repetitions, instead of the file's", "N" },
		{ "seconds", 's', POPT_ARG_INT, &o->seconds, 0,
		  "time to measure, instead of the file's", "N" },
		{ "payload", 'p', POPT_ARG_STRING, &o->payload, 0,
		  "path of the payload guest, if it is not installed", "FILE" },
		{ "kernel", 'k', POPT_ARG_STRING, &o->kernel, 0,
		  "kernel of Linux guests", "FILE" },
		{ "initrd", 'i', POPT_ARG_STRING, &o->initrd, 0,
		  "initial RAM disk of Linux guests", "FILE" },
		{ "check", 'c', POPT_ARG_NONE, &o->check, 0,
		  "only check the file and print what would be run", NULL },
		{ "list", 'l', POPT_ARG_NONE, &o->list, 0,
		  "list the installed experiments", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt = poptGetContext(argv[0], argc, (const char **)argv,
					  table, 0);
	int rc, status = VMM_EXIT_OK;
	const char *word;

	poptSetOtherOptionHelp(popt, "[OPTION...] FILE|NAME");
	rc = cmd_next_option(popt, table);
	word = poptGetArg(popt);
	if (rc < -1) {
		status = cmd_bad_option(popt, rc);
	} else if (o->list) {
		*done = true;
		status = list_ready();
	} else if (!word || poptPeekArg(popt)) {
		poptPrintUsage(popt, stderr, 0);
		status = VMM_EXIT_USAGE;
	} else if (!is_from_1_to(1000, o->repetitions) ||
		   !is_from_1_to(86400, o->seconds)) {
		log_error("--repetitions must be from 1 to 1000, --seconds "
			  "from 1 to 86400");
		status = VMM_EXIT_USAGE;
	} else {
		find_file(word, o->file, sizeof(o->file));
	}
	poptFreeContext(popt);
	return status;
}

static int make_dirs(struct session *s)
{
	char path[4200], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	if (s->o.output) {
		snprintf(s->o.dir, sizeof(s->o.dir), "%s", s->o.output);
	} else {
		strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S",
			 localtime_r(&now, &tm));
		snprintf(s->o.dir, sizeof(s->o.dir), "%s-%s", s->plan.name,
			 stamp);
	}
	if (mkdir(s->o.dir, 0755)) {
		log_error("--output %s: %s", s->o.dir, error_text(errno));
		return -1;
	}
	snprintf(path, sizeof(path), "%s/logs", s->o.dir);
	strcpy(s->work, "/tmp/vmm-experiment-XXXXXX");
	if (mkdir(path, 0755) || !mkdtemp(s->work)) {
		log_error("%s: %s", s->o.dir, error_text(errno));
		s->work[0] = 0;
		return -1;
	}
	return 0;
}

static const char *cgroup_name(const struct session *s)
{
	return !s->has_cgroup ? "none" : s->parent.v2 ? "version 2" :
	       "version 1";
}

static void find_cgroup(struct session *s)
{
	char why[256];

	s->has_cgroup = !cgroup_find(&s->parent, "/proc/self/mountinfo",
				     "/proc/self/cgroup", why, sizeof(why));
	if (s->has_cgroup)
		cgroup_sweep(&s->parent);
	else
		log_warn("%s; memory is counted from the guests' resident "
			 "pages only",
			 why);
}

static int check_payload(const struct session *s)
{
	for (unsigned int i = 0; i < s->plan.nr_guests; i++) {
		if (s->plan.guests[i].kind != PLAN_PAYLOAD ||
		    !access(s->o.payload, R_OK))
			continue;
		log_error("%s: %s; give the path of the payload guest with "
			  "--payload",
			  s->o.payload, error_text(errno));
		return -1;
	}
	return 0;
}

static void tell_run(const struct session *s, const struct run_context *ctx,
		     const struct result_run *r)
{
	if (ctx->terminal)
		fputs("\r\033[K", stderr);
	fprintf(stderr, "[%u/%u] %s, %s, repetition %u: ", ctx->nr,
		ctx->nr_runs, s->plan.policies[r->policy].name,
		s->plan.limits[r->limit].text, r->repetition + 1);
	if (r->ok)
		fprintf(stderr, "%.0f ops/s, %.0f MiB, %.0f pages/s read "
			"back\n",
			r->ops_per_s, r->memory_bytes / 1048576,
			r->brought_back_per_s);
	else
		fprintf(stderr, "failed: %s\n", r->why);
}

/* Called after each run, so that what was measured is not lost. */
static int save(struct session *s, const struct result_run *run)
{
	int rc = result_write_csv(s->o.dir, &s->plan, run, run == s->runs);

	if (!rc)
		rc = result_write_json(s->o.dir, &s->plan, s->runs, s->nr,
				       cgroup_name(s));
	if (rc)
		log_error("%s: %s", s->o.dir, error_text(-rc));
	return rc;
}

static int run_all(struct session *s)
{
	const struct plan *plan = &s->plan;
	struct run_context ctx = {
		.plan = plan, .parent = s->has_cgroup ? &s->parent : NULL,
		.dir = s->o.dir, .work = s->work, .program = s->program,
		.payload = s->o.payload, .stop = &stop,
		.terminal = isatty(STDERR_FILENO),
	};
	unsigned int per_repetition = plan->nr_limits * plan->nr_policies;

	ctx.nr_runs = (unsigned int)plan->repetitions * per_repetition;
	s->runs = calloc(ctx.nr_runs, sizeof(*s->runs));
	if (!s->runs) {
		log_error("out of memory for the results of %u runs",
			  ctx.nr_runs);
		return -ENOMEM;
	}
	while (s->nr < ctx.nr_runs && !stop) {
		struct result_run *r = &s->runs[s->nr];
		unsigned int within = (unsigned int)s->nr % per_repetition;
		int rc;

		r->repetition = (unsigned int)s->nr / per_repetition;
		r->limit = within / plan->nr_policies;
		/* Each repetition begins with another policy. */
		r->policy = (within + r->repetition) % plan->nr_policies;
		ctx.nr = (unsigned int)++s->nr;
		rc = run_once(&ctx, r);
		if (rc == -ENOMEM)
			log_error("out of memory for run %u", ctx.nr);
		else
			tell_run(s, &ctx, r);
		if (!rc)
			rc = save(s, r);
		if (rc && rc != -EINTR)
			return rc;
	}
	return 0;
}

static int finish(struct session *s)
{
	size_t failed = 0;
	int rc;

	for (size_t i = 0; i < s->nr; i++)
		failed += !s->runs[i].ok;
	rc = report_write(s->o.dir, &s->plan, s->runs, s->nr, cgroup_name(s));
	if (rc) {
		log_error("%s: %s", s->o.dir, error_text(-rc));
		return VMM_EXIT_FAILURE;
	}
	fprintf(stderr, "%s/report.md: %zu runs, %zu failed\n", s->o.dir,
		s->nr, failed);
	return stop ? VMM_EXIT_SIGNAL : failed == s->nr ? VMM_EXIT_FAILURE :
	       VMM_EXIT_OK;
}

static int run_session(struct session *s)
{
	ssize_t n = readlink("/proc/self/exe", s->program,
			     sizeof(s->program) - 1);
	int rc;

	if (n <= 0) {
		log_error("cannot read /proc/self/exe: %s; mount /proc",
			  error_text(errno));
		return VMM_EXIT_FAILURE;
	}
	if (check_payload(s) || make_dirs(s))
		return VMM_EXIT_FAILURE;
	stop_signals_catch(on_signal);
	find_cgroup(s);
	print_plan(&s->plan);
	fflush(stdout);
	rc = run_all(s);
	return rc ? VMM_EXIT_FAILURE : finish(s);
}

/* For plan_load(), which takes 0 for a number that is not given. */
static uint64_t given(int number)
{
	return number == NOT_GIVEN ? 0 : (uint64_t)number;
}

int cmd_experiment(int argc, char **argv)
{
	struct session *s = calloc(1, sizeof(*s));
	struct plan_override override;
	bool done = false;
	char why[1024];
	int rc;

	if (!s) {
		log_error("out of memory");
		return VMM_EXIT_FAILURE;
	}
	s->o.repetitions = s->o.seconds = NOT_GIVEN;
	rc = parse(&s->o, argc, argv, &done);
	if (rc || done)
		goto out;
	if (!s->o.payload)
		s->o.payload = strdup(VMM_PAYLOAD_FILE);
	override = (struct plan_override){
		.quick = s->o.quick,
		.repetitions = given(s->o.repetitions),
		.seconds = given(s->o.seconds),
		.kernel = s->o.kernel, .initrd = s->o.initrd,
	};
	if (plan_load(&s->plan, s->o.file, &override, why, sizeof(why))) {
		log_error("%s", why);
		rc = VMM_EXIT_USAGE;
		goto out;
	}
	if (s->o.check)
		print_plan(&s->plan);
	else
		rc = run_session(s);
out:
	for (size_t i = 0; i < s->nr; i++)
		result_free(&s->runs[i]);
	free(s->runs);
	if (*s->work)
		rmdir(s->work);
	plan_free(&s->plan);
	free(s->o.output);
	free(s->o.payload);
	free(s->o.kernel);
	free(s->o.initrd);
	free(s);
	return rc;
}
