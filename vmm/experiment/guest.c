// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/experiment/cgroup.h"
#include "vmm/experiment/guest.h"
#include "vmm/util/stop-guard.h"

#define MAX_LOG_BYTES (4u << 20)
#define STOP_TRIES    100
#define STOP_NS	      20000000

static void add(struct guest_args *a, const char *word)
{
	if (a->nr < GUEST_MAX_ARGS)
		a->argv[a->nr] = word;
	a->nr++;
}

static void add_option(struct guest_args *a, const char *name,
		       const char *value)
{
	if (value) {
		add(a, name);
		add(a, value);
	}
}

uint64_t guest_share(const struct guest_launch *l, unsigned int index)
{
	const struct plan *plan = l->plan;
	double part = (double)plan->guests[index].mem_bytes / plan->mem_bytes;

	return (uint64_t)(part * l->limit_bytes) &
	       ~UINT64_C(4095);
}

/* The runner sets all durations: they are the same under all policies. */
static bool make_cmdline(const struct guest *guest,
			 const struct guest_launch *l, struct guest_args *a)
{
	const struct plan *plan = l->plan;
	const struct plan_guest *g = &plan->guests[guest->index];
	bool linux_guest = g->kind == PLAN_LINUX;
	int n;

	n = snprintf(a->cmdline, sizeof(a->cmdline), "%s%s%s%s"
		     " seconds=%llu warmup_ms=%llu report_ms=%llu latency=1"
		     " seed=%llu",
		     linux_guest ? "console=ttyS0 panic=-1 quiet " : "",
		     g->cmdline ? g->cmdline : "", g->cmdline ? " " : "",
		     g->words,
		     (unsigned long long)(plan->seconds + plan->warmup_s),
		     (unsigned long long)plan->warmup_s * 1000,
		     (unsigned long long)plan->sample_ms,
		     (unsigned long long)plan->seed + l->repetition +
			     100ull * guest->index);
	return n > 0 && (size_t)n < sizeof(a->cmdline);
}

static void add_policy(const struct guest *guest, const struct guest_launch *l,
		       struct guest_args *a)
{
	const struct plan_policy *p = l->policy;

	if (p->kind != PLAN_VMM) {
		add_option(a, "--abits", "none");
		return;
	}
	add_option(a, "--abits", p->abits);
	add_option(a, "--sink", p->sink);
	if (p->no_target)
		snprintf(a->reclaim, sizeof(a->reclaim), "%s",
			 p->reclaim ? p->reclaim : "on");
	else
		snprintf(a->reclaim, sizeof(a->reclaim), "target=%llu%s%s",
			 (unsigned long long)guest_share(l, guest->index) *
				 p->target_percent / 100,
			 p->reclaim ? "," : "", p->reclaim ? p->reclaim : "");
	add_option(a, "--reclaim", a->reclaim);
}

int guest_make_args(const struct guest *guest, const struct guest_launch *l,
		    struct guest_args *a)
{
	const struct plan_guest *g = &l->plan->guests[guest->index];

	memset(a, 0, sizeof(*a));
	if (!make_cmdline(guest, l, a))
		return -ENOSPC;
	add(a, "vmm");
	add(a, "run");
	/* The file's options come first: the runner's override them. */
	for (unsigned int i = 0; i < g->nr_options; i++)
		add(a, g->options[i]);
	snprintf(a->mem, sizeof(a->mem), "%llu",
		 (unsigned long long)g->mem_bytes);
	snprintf(a->cpus, sizeof(a->cpus), "%llu", (unsigned long long)g->cpus);
	snprintf(a->name, sizeof(a->name), "experiment-%u", guest->index);
	add_option(a, "--kernel", g->kind == PLAN_PAYLOAD ? l->payload :
		   g->kernel);
	add_option(a, "--initrd", g->initrd);
	add_option(a, "--cmdline", a->cmdline);
	add_option(a, "--mem", a->mem);
	add_option(a, "--cpus", a->cpus);
	add_option(a, "--name", a->name);
	add_option(a, "--socket", guest->socket);
	add_policy(guest, l, a);
	return a->nr > GUEST_MAX_ARGS ? -ENOSPC : 0;
}

static void exec_vmm(struct guest *guest, const struct guest_launch *l,
		     const struct guest_args *a, int out)
{
	sigset_t none;
	int in = open("/dev/null", O_RDONLY);

	/* Ctrl-C in the terminal is for the runner, which ends the guest. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	stop_signals_reset();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(guest->log, 2) < 0 || (l->cgroup && cgroup_join(l->cgroup)))
		_exit(127);
	execv(l->program, (char *const *)a->argv);
	_exit(127);
}

int guest_start(struct guest *guest, const struct guest_launch *l)
{
	struct guest_args a;
	int fds[2], rc = guest_make_args(guest, l, &a);

	guest->out = guest->log = -1;
	if (rc)
		return rc;
	guest->max_intervals = (unsigned int)
		((l->plan->seconds + l->plan->warmup_s) * 1000 /
		 l->plan->sample_ms * 2 + 100);
	guest->log = open(l->log_path, O_WRONLY | O_CREAT | O_APPEND |
			  O_TRUNC | O_CLOEXEC, 0644);
	if (guest->log < 0 || pipe2(fds, O_CLOEXEC))
		return -errno;
	guest->pid = fork();
	if (!guest->pid)
		exec_vmm(guest, l, &a, fds[1]);
	close(fds[1]);
	guest->out = fds[0];
	if (guest->pid < 0) {
		guest->pid = 0;
		return -EAGAIN;
	}
	return 0;
}

static void set_why(struct guest *guest, const char *what, const char *detail)
{
	size_t n;

	if (*guest->why)
		return;
	snprintf(guest->why, sizeof(guest->why), "%s%s%.80s", what,
		 detail ? ": " : "", detail ? detail : "");
	n = strlen(guest->why);
	for (size_t i = 0; i < n; i++)
		if (guest->why[i] < ' ' || guest->why[i] > '~' ||
		    guest->why[i] == '|')
			guest->why[i] = '?';
}

static double number(const json_t *event, const char *key)
{
	double value = json_number_value(json_object_get(event, key));

	return value > 0 && value < 1e18 ? value : 0;
}

static void take_latencies(const json_t *event, double *ns)
{
	for (int i = 0; i < RESULT_NR_LATENCIES; i++)
		ns[i] = number(event, result_latency_keys[i]);
}

static void take_interval(struct guest *guest, const json_t *event)
{
	struct result_interval interval = { .guest = guest->index };

	if (guest->nr_intervals >= guest->max_intervals)
		return;
	guest->nr_intervals++;
	interval.t_s = number(event, "t_ms") / 1000;
	interval.ops_per_s = number(event, "ops_per_s");
	take_latencies(event, interval.latency_ns);
	result_add_interval(guest->run, &interval);
}

static void take_summary(struct guest *guest, const json_t *event)
{
	struct result_guest *r = guest->result;

	guest->has_summary = true;
	r->ops_per_s = number(event, "measured_ops_per_s");
	take_latencies(event, r->latency_ns);
	r->errors = (uint64_t)number(event, "errors");
	r->pages_checked = (uint64_t)number(event, "pages_checked");
	if (r->errors)
		set_why(guest, "verification failed: pages had wrong data",
			NULL);
}

static void take_line(struct guest *guest, const char *line, size_t len)
{
	json_t *event;
	const char *name;

	if (!len || *line != '{')
		return;
	event = json_loadb(line, len, 0, NULL);
	name = json_string_value(json_object_get(event, "event"));
	if (!name)
		goto out;
	if (!strcmp(name, "run"))
		guest->runs = true;
	else if (!strcmp(name, "interval"))
		take_interval(guest, event);
	else if (!strcmp(name, "summary"))
		take_summary(guest, event);
	else if (!strcmp(name, "error"))
		set_why(guest, "the workload gave up", json_string_value(
				json_object_get(event, "what")));
	else if (!strcmp(name, "fault"))
		set_why(guest, "the workload crashed", NULL);
out:
	json_decref(event);
}

void guest_take(struct guest *guest, const char *data, size_t len)
{
	if (guest->log >= 0 && guest->log_bytes < MAX_LOG_BYTES) {
		guest->log_bytes += len;
		if (write(guest->log, data, len) < 0)
			guest->log_bytes = MAX_LOG_BYTES;
	}
	for (size_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			take_line(guest, guest->line, guest->len);
			guest->len = 0;
		} else if (data[i] != '\r' && guest->len < sizeof(guest->line)) {
			guest->line[guest->len++] = data[i];
		}
	}
}

static void explain_status(struct guest *guest)
{
	char text[64];

	if (WIFSIGNALED(guest->status)) {
		snprintf(text, sizeof(text), "vmm run was killed by signal %d",
			 WTERMSIG(guest->status));
		set_why(guest, text, WTERMSIG(guest->status) == SIGKILL ?
			"as the kernel's OOM killer does" : NULL);
	} else if (WEXITSTATUS(guest->status)) {
		snprintf(text, sizeof(text), "vmm run ended with status %d",
			 WEXITSTATUS(guest->status));
		set_why(guest, text, "see its log");
	} else if (!guest->has_summary) {
		set_why(guest, "the guest powered off before its workload "
			"printed its summary",
			NULL);
	}
}

static bool reap(struct guest *guest, int flags)
{
	struct rusage usage;
	pid_t pid = wait4(guest->pid, &guest->status, flags, &usage);

	if (pid != guest->pid)
		return false;
	guest->pid = 0;
	guest->result->cpu_s =
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		1e-6 * (double)(usage.ru_utime.tv_usec +
				usage.ru_stime.tv_usec);
	explain_status(guest);
	return true;
}

static void close_files(struct guest *guest)
{
	if (guest->out >= 0)
		close(guest->out);
	if (guest->log >= 0)
		close(guest->log);
	guest->out = guest->log = -1;
}

void guest_read(struct guest *guest)
{
	char buf[16384];
	ssize_t n = read(guest->out, buf, sizeof(buf));

	if (n > 0) {
		guest_take(guest, buf, (size_t)n);
	} else if (!n || (errno != EINTR && errno != EAGAIN)) {
		/* The pipe is open until it exits. */
		while (!reap(guest, 0) && errno == EINTR)
			continue;
		close_files(guest);
	}
}

void guest_stop(struct guest *guest)
{
	static const struct timespec pause = { 0, STOP_NS };

	if (guest->pid > 0)
		kill(guest->pid, SIGTERM);
	for (int i = 0; guest->pid > 0 && i < STOP_TRIES; i++)
		if (!reap(guest, WNOHANG))
			nanosleep(&pause, NULL);
	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		reap(guest, 0);
	}
	close_files(guest);
	unlink(guest->socket);
}
