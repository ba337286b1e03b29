// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm-guest-agent: reports to the host which process maps which page.
 *
 * Connects, sends a hello message, sends an epoch each interval, handles the
 * host's requests in between, and reconnects when the connection is lost.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <popt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define DEFAULT_INTERVAL_MS 2000
#define MIN_INTERVAL_MS	    100
#define MAX_INTERVAL_MS	    3600000
#define RETRY_S		    2
/*
 * Reading the flags of all frames costs most.  They are read every FLAGS_EVERY
 * epochs, but less often if those epochs would take more than 1/FLAGS_SHARE of
 * a CPU.  Full epochs and requested ones always read them.
 */
#define FLAGS_EVERY	    5
#define FLAGS_SHARE	    100

struct options {
	struct transport transport;
	char *pgd;		/* a method by name, or NULL; owned */
	int interval_ms, once, dump, verbose, port;
	char *unix_path, *serial_path;	/* owned (popt leaves them to us) */
};

struct session {
	struct agent agent;
	struct stream stream;
	struct protocol_decoder decoder;
	const struct options *o;
	unsigned int interval_ms;
	bool requested;		/* by the host: an epoch with flags, now */
};

static uint64_t now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * UINT64_C(1000) + t.tv_nsec / 1000000;
}

static void handle_request(struct session *s, const struct protocol_message *m)
{
	if (m->type != PROTOCOL_DROP_CACHE)
		return;
	cache_drop(m->drop_bytes);
	/* Reports the result to the host. */
	s->requested = true;
}

/*
 * Reads and handles requests of the host.  False: the connection is lost, or
 * the host broke the protocol.
 */
static bool read_requests(struct session *s, int fd)
{
	struct protocol_message m;
	uint8_t buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));
	size_t done = 0, used;
	int rc = 0;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	while (done < (size_t)n) {
		rc = protocol_decode(&s->decoder, buf + done, n - done, &used,
				     &m);
		if (rc < 0) {
			fprintf(stderr, "vmm-guest-agent: invalid message from "
				"the host: %s\n",
				protocol_error_text(-rc));
			return false;
		}
		done += used;
		if (rc > 0)
			handle_request(s, &m);
	}
	return true;
}

/*
 * Waits until the next epoch is due or requested.  False: the connection is
 * lost.
 */
static bool wait_for_next(struct session *s, int fd, uint64_t start_ms)
{
	while (!s->requested) {
		uint64_t passed = now_ms(CLOCK_MONOTONIC) - start_ms;
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (passed >= s->interval_ms)
			return true;
		if (poll(&p, 1, s->interval_ms - passed) > 0 &&
		    !read_requests(s, fd))
			return false;
	}
	return true;
}

static void report(const struct session *s, uint64_t bytes, uint64_t cpu_ms)
{
	fprintf(stderr, "vmm-guest-agent: epoch %llu: %llu bytes, %llu ms CPU, "
		"%llu processes read, %llu unchanged\n",
		(unsigned long long)s->agent.epoch, (unsigned long long)bytes,
		(unsigned long long)cpu_ms,
		(unsigned long long)s->agent.nr_examined,
		(unsigned long long)s->agent.nr_unchanged);
}

/*
 * Whether memory was added.  Only a hello tells the host how much there is, so
 * a new connection is needed; an inherited descriptor cannot be reconnected.
 */
static bool must_reconnect(const struct session *s)
{
	if (s->o->transport.fd >= 0 || !frames_have_grown(&s->agent.frames))
		return false;
	fprintf(stderr, "vmm-guest-agent: memory was added: reconnecting to "
		"report it\n");
	return true;
}

/* One connection, until it ends. */
static void serve(struct session *s, int fd)
{
	uint64_t last_flags = 0, flags_cpu = 0;

	stream_init(&s->stream, fd);
	protocol_decoder_init(&s->decoder, PROTOCOL_FROM_HOST, 0);
	agent_hello(&s->agent, &s->stream);
	s->requested = false;
	for (;;) {
		uint64_t start = now_ms(CLOCK_MONOTONIC);
		uint64_t cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
		uint64_t bytes = s->stream.nr_bytes;
		bool flags = s->requested ||
			     (s->agent.epoch % FLAGS_EVERY == 0 &&
			      start - last_flags >= FLAGS_SHARE * flags_cpu);

		s->requested = false;
		if (agent_epoch(&s->agent, flags))
			return;
		cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		if (flags) {
			last_flags = start;
			flags_cpu = cpu;
		}
		if (s->o->verbose)
			report(s, s->stream.nr_bytes - bytes, cpu);
		if (s->o->once || !wait_for_next(s, fd, start) ||
		    must_reconnect(s))
			return;
	}
}

static void warn_if_limited(const struct frames *f)
{
	if (!f->have_pfns)
		fprintf(stderr, "vmm-guest-agent: without CAP_SYS_ADMIN frame "
			"numbers are not reported, only regions: run as "
			"root\n");
	else if (f->flags_fd < 0)
		fprintf(stderr, "vmm-guest-agent: cannot read "
			"/proc/kpageflags: free, locked and page table frames "
			"are not reported\n");
}

/*
 * Chooses the method that finds page table roots.  0, or an exit status.
 * Without --pgd it is no error if no method works: everything else is reported.
 */
static int find_pgds(struct session *s)
{
	const char *method = s->o->pgd;
	char why[400];

	if (method && strcmp(method, "bpf") && strcmp(method, "kcore") &&
	    strcmp(method, "none")) {
		fprintf(stderr, "vmm-guest-agent: --pgd %s: expected bpf, "
			"kcore or none\n", method);
		return 2;
	}
	pgds_init(&s->agent.pgds, s->agent.frames.nr, method, why, sizeof(why));
	if (s->agent.pgds.method || (method && !strcmp(method, "none")))
		return 0;
	fprintf(stderr, "vmm-guest-agent: page table roots are not reported, "
		"so the host sees accesses by page, not by process: %s\n", why);
	return method ? 1 : 0;
}

/*
 * Before a connection: makes `frames` cover memory that was added.  0, or
 * -errno after printing a message.
 */
static int cover_new_memory(struct session *s)
{
	char why[256];
	int rc;

	if (!frames_have_grown(&s->agent.frames))
		return 0;
	frames_destroy(&s->agent.frames);
	rc = frames_init(&s->agent.frames, why, sizeof(why));
	if (rc)
		fprintf(stderr, "vmm-guest-agent: %s\n", why);
	s->agent.pgds.nr_frames = s->agent.frames.nr;
	return rc;
}

static int run(struct session *s)
{
	char why[256], last[256] = "";
	int fd;

	for (;;) {
		if (cover_new_memory(s))
			return 1;
		fd = transport_connect(&s->o->transport, why, sizeof(why));
		if (fd >= 0) {
			last[0] = 0;
			serve(s, fd);
			close(fd);
			/* An inherited descriptor can't be reopened. */
			if (s->o->once || s->o->transport.fd >= 0)
				return s->stream.error ? 1 : 0;
		} else {
			/* The same error in a row is logged once. */
			if (strcmp(why, last))
				fprintf(stderr, "vmm-guest-agent: %s\n", why);
			strcpy(last, why);
			if (s->o->once)
				return 1;
		}
		sleep(RETRY_S);
	}
}

/* --dump: sends the stream through a pipe to a child that prints it. */
static int run_dump(struct session *s)
{
	int fds[2], status;
	pid_t child;

	if (pipe(fds) || (child = fork()) < 0) {
		perror("vmm-guest-agent");
		return 1;
	}
	if (!child) {
		close(fds[1]);
		exit(dump_stream(fds[0]));
	}
	close(fds[0]);
	stream_init(&s->stream, fds[1]);
	agent_hello(&s->agent, &s->stream);
	agent_epoch(&s->agent, true);
	close(fds[1]);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ?
		       WEXITSTATUS(status) : 1;
}

static bool is_empty(const char *option, const char *path, const char *what)
{
	if (!path || *path)
		return false;
	fprintf(stderr, "vmm-guest-agent: --%s: the value is empty: give PATH "
		"(%s); see --help\n", option, what);
	return true;
}

static int parse(struct options *o, int argc, char **argv)
{
	const struct poptOption table[] = {
		{ "port", 'p', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT,
		  &o->port, 0, "vsock port of the host", "N" },
		{ "serial", 's', POPT_ARG_STRING, &o->serial_path, 0,
		  "use this character device instead of vsock", "PATH" },
		{ "unix", 'u', POPT_ARG_STRING, &o->unix_path, 0,
		  "use this unix socket instead of vsock", "PATH" },
		{ "fd", 'f', POPT_ARG_INT, &o->transport.fd, 0,
		  "use this open file descriptor; exit when it is closed",
		  "N" },
		{ "interval", 'i', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT,
		  &o->interval_ms, 0, "time between two reports", "MS" },
		{ "pgd", 0, POPT_ARG_STRING, &o->pgd, 0,
		  "how to find page tables: bpf, kcore or none (the first "
		  "that works)", "METHOD" },
		{ "once", '1', POPT_ARG_NONE, &o->once, 0,
		  "send one report, then exit", NULL },
		{ "dump", 'd', POPT_ARG_NONE, &o->dump, 0,
		  "print one report as text, then exit", NULL },
		{ "verbose", 'v', POPT_ARG_NONE, &o->verbose, 0,
		  "log the cost of each report", NULL },
		POPT_AUTOHELP
		POPT_TABLEEND
	};
	poptContext popt;
	int rc;

	memset(o, 0, sizeof(*o));
	o->port = VMM_AGENT_VSOCK_PORT;
	o->interval_ms = DEFAULT_INTERVAL_MS;
	o->transport.fd = -1;
	popt = poptGetContext("vmm-guest-agent", argc, (const char **)argv,
			      table, 0);
	rc = poptGetNextOpt(popt);
	if (rc < -1) {
		fprintf(stderr, "vmm-guest-agent: %s: %s; see --help\n",
			poptBadOption(popt, POPT_BADOPTION_NOALIAS),
			poptStrerror(rc));
		rc = 2;
	} else if (poptPeekArg(popt)) {
		fprintf(stderr, "vmm-guest-agent: unexpected argument '%s'; "
			"see --help\n", poptPeekArg(popt));
		rc = 2;
	} else if (is_empty("serial", o->serial_path, "a character device, "
			    "for example /dev/virtio-ports/org.vmm.agent.0") ||
		   is_empty("unix", o->unix_path, "a unix socket, for example "
			    "/run/vmm/agent.sock")) {
		rc = 2;
	} else if (o->interval_ms < MIN_INTERVAL_MS ||
		   o->interval_ms > MAX_INTERVAL_MS) {
		fprintf(stderr, "vmm-guest-agent: --interval %d: must be from "
			"%d to %d ms\n", o->interval_ms, MIN_INTERVAL_MS,
			MAX_INTERVAL_MS);
		rc = 2;
	} else if (o->port < 1) {
		fprintf(stderr, "vmm-guest-agent: --port %d: must be from 1 to "
			"%d\n", o->port, INT_MAX);
		rc = 2;
	} else if (o->transport.fd < -1) {
		fprintf(stderr, "vmm-guest-agent: --fd %d: must be an open "
			"file descriptor, 0 or higher\n", o->transport.fd);
		rc = 2;
	} else {
		rc = 0;
	}
	poptFreeContext(popt);
	o->transport.unix_path = o->unix_path;
	o->transport.serial_path = o->serial_path;
	o->transport.port = o->port;
	return rc;
}

int main(int argc, char **argv)
{
	struct session *s = NULL;
	struct options o;
	char why[256];
	int rc;

	rc = parse(&o, argc, argv);
	if (rc)
		goto out;
	s = calloc(1, sizeof(*s));
	if (!s) {
		fprintf(stderr, "vmm-guest-agent: not enough memory\n");
		rc = 1;
		goto out;
	}
	signal(SIGPIPE, SIG_IGN);
	s->o = &o;
	s->interval_ms = o.interval_ms;
	agent_init(&s->agent);
	if (frames_init(&s->agent.frames, why, sizeof(why))) {
		fprintf(stderr, "vmm-guest-agent: %s\n", why);
		rc = 1;
		goto out;
	}
	warn_if_limited(&s->agent.frames);
	rc = find_pgds(s);
	if (!rc)
		rc = o.dump ? run_dump(s) : run(s);
	pgds_destroy(&s->agent.pgds);
	agent_destroy(&s->agent);
	frames_destroy(&s->agent.frames);
out:
	free(o.unix_path);
	free(o.serial_path);
	free(o.pgd);
	free(s);
	return rc;
}
