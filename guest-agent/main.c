// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vmm-guest-agent: tells the host which process maps which frame.
 *
 *   connect -> hello -> epoch (full) -> wait -> epoch (delta) -> ...
 *
 * An epoch looks at every process' stat and statm only; pages are read again
 * where size, residence or fault counts changed.  What that misses (pages
 * migrated or swapped without a fault of the process) the full epoch, every
 * FULL_EVERY, brings.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define FULL_EVERY 60
#define SERIAL_PORT "/dev/virtio-ports/org.vmm.agent.0"

struct known {			/* sorted by pid */
	uint32_t pid;
	bool seen, kept;	/* kept: picture is what the host has */
	struct proc_stamp stamp;
	struct proc_picture picture;
};

struct agent {
	struct out out;
	struct pages pages;
	struct known *known;	/* owned */
	size_t nr, cap;
	uint64_t epoch, kept_runs;
	unsigned int interval_ms, port;
	const char *unix_path, *serial_path;
	bool rescan, report_free, once, verbose;
	int given_fd;
	struct protocol_decoder decoder;
};

static void drop_picture(struct agent *a, struct known *k)
{
	a->kept_runs -= k->kept ? k->picture.nr_runs : 0;
	picture_free(&k->picture);
	k->kept = false;
}

static struct known *get_known(struct agent *a, uint32_t pid)
{
	size_t i = a->nr;

	while (i && a->known[i - 1].pid > pid)
		i--;
	if (i && a->known[i - 1].pid == pid)
		return &a->known[i - 1];
	if (a->nr == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		void *p = reallocarray(a->known, cap, sizeof(*a->known));

		if (!p)
			return NULL;
		a->known = p;
		a->cap = cap;
	}
	memmove(&a->known[i + 1], &a->known[i],
		(a->nr++ - i) * sizeof(*a->known));
	a->known[i] = (struct known){ .pid = pid };
	return &a->known[i];
}

static void scan_process(struct agent *a, uint32_t pid, bool full)
{
	struct proc_picture now = { 0 };
	struct proc_stamp stamp;
	struct known *k;
	char comm[16];

	if (proc_read_stamp(pid, &stamp, comm))
		return;			/* gone, or a kernel thread */
	k = get_known(a, pid);
	if (!k)
		return;
	k->seen = true;
	if (!full && k->kept && !memcmp(&stamp, &k->stamp, sizeof(stamp)))
		return;
	if (proc_scan(pid, a->pages.nr_frames, &now)) {
		k->seen = false;
		return;
	}
	delta_send(&a->out, pid, comm, !full && k->kept &&
		   stamp.starttime == k->stamp.starttime ? &k->picture : NULL,
		   &now);
	drop_picture(a, k);
	k->stamp = stamp;
	if (a->kept_runs + now.nr_runs > AGENT_MAX_KEPT_RUNS) {
		picture_free(&now);
		return;
	}
	k->picture = now;
	k->kept = true;
	a->kept_runs += now.nr_runs;
}

static void forget_unseen(struct agent *a)
{
	size_t left = 0;

	for (size_t i = 0; i < a->nr; i++) {
		struct protocol_message m = { .type = PROTOCOL_FORGET,
					      .pid = a->known[i].pid };

		if (a->known[i].seen) {
			a->known[left++] = a->known[i];
			continue;
		}
		out_send(&a->out, &m);
		drop_picture(a, &a->known[i]);
	}
	a->nr = left;
}

static int run_epoch(struct agent *a)
{
	bool full = a->rescan || a->epoch % FULL_EVERY == 0;
	struct protocol_message m = { .type = PROTOCOL_EPOCH_BEGIN,
		.epoch = { ++a->epoch, full ? PROTOCOL_EPOCH_FULL : 0 } };
	DIR *dir = opendir("/proc");
	struct dirent *e;
	uint64_t before = a->out.nr_bytes;

	out_send(&a->out, &m);
	if (full || a->report_free)
		pages_send(&a->pages, &a->out, full);
	for (size_t i = 0; i < a->nr; i++)
		a->known[i].seen = false;
	while (dir && (e = readdir(dir)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			scan_process(a, strtoul(e->d_name, NULL, 10), full);
	if (dir)
		closedir(dir);
	forget_unseen(a);
	m = (struct protocol_message){ .type = PROTOCOL_PRESSURE };
	pressure_read(&m.pressure);
	out_send(&a->out, &m);
	m = (struct protocol_message){ .type = PROTOCOL_EPOCH_END,
				       .epoch = { a->epoch, 0 } };
	out_send(&a->out, &m);
	a->rescan = a->report_free = false;
	if (a->verbose)
		fprintf(stderr, "epoch %llu%s: %llu bytes, %zu processes, "
			"%.1f ms CPU since the start\n",
			(unsigned long long)a->epoch, full ? " full" : "",
			(unsigned long long)(a->out.nr_bytes - before), a->nr,
			clock() * 1000.0 / CLOCKS_PER_SEC);
	return a->out.dump ? 0 : out_flush(&a->out);
}

static void obey(struct agent *a, const struct protocol_message *m)
{
	FILE *f;

	switch (m->type) {
	case PROTOCOL_RESCAN: a->rescan = true; break;
	case PROTOCOL_REPORT_FREE: a->report_free = true; break;
	case PROTOCOL_SET_INTERVAL: a->interval_ms = m->interval_ms; break;
	case PROTOCOL_DROP_CACHE:
		f = fopen("/proc/sys/vm/drop_caches", "we");
		if (!f || fputs("1\n", f) < 0 || fclose(f))
			fprintf(stderr, "vmm-guest-agent: can't drop the page "
				"cache: %s\n", strerror(errno));
		break;
	default: break;
	}
}

/* Waits for the next epoch or a request; < 0: the connection is gone. */
static int wait_for_work(struct agent *a)
{
	struct pollfd p = { .fd = a->out.fd, .events = POLLIN };
	struct protocol_message m;
	uint8_t buf[256];
	size_t at = 0, used;
	ssize_t n;
	int rc = poll(&p, 1, a->interval_ms);

	if (rc <= 0)
		return rc < 0 && errno != EINTR ? -errno : 0;
	n = read(a->out.fd, buf, sizeof(buf));
	if (n <= 0)
		return n ? -errno : -EPIPE;
	while ((rc = protocol_decode(&a->decoder, buf + at, n - at, &used,
				     &m)) == 1) {
		at += used;
		obey(a, &m);
	}
	return rc < 0 ? -EPROTO : 0;
}

static void send_hello(struct agent *a)
{
	struct protocol_pressure psi;
	struct protocol_message m = { .type = PROTOCOL_HELLO, .hello = {
		PROTOCOL_PAGE_SIZE, 0, a->pages.nr_frames } };

	if (a->pages.fd >= 0)
		m.hello.features |= PROTOCOL_FEAT_FLAGS | PROTOCOL_FEAT_PFN;
	if (pressure_read(&psi))
		m.hello.features |= PROTOCOL_FEAT_PSI;
	out_send(&a->out, &m);
}

static int connect_host(struct agent *a)
{
	int fd;

	if (a->given_fd >= 0)
		return a->given_fd;
	if (a->unix_path)
		return transport_unix(a->unix_path);
	if (a->serial_path)
		return transport_serial(a->serial_path);
	fd = transport_vsock(a->port);
	return fd >= 0 || access(SERIAL_PORT, F_OK) ? fd :
						transport_serial(SERIAL_PORT);
}

static int serve(struct agent *a)
{
	int rc;

	protocol_decoder_init(&a->decoder, PROTOCOL_FROM_HOST, 0);
	for (size_t i = 0; i < a->nr; i++)
		drop_picture(a, &a->known[i]);
	a->nr = 0;
	a->epoch = 0;
	a->out.error = 0;
	a->out.fill = 0;
	send_hello(a);
	do {
		rc = run_epoch(a);
	} while (!rc && !a->once && !(rc = wait_for_work(a)));
	return rc;
}

static void usage(FILE *f)
{
	fputs("usage: vmm-guest-agent [--port N | --serial PATH | --unix PATH "
	      "| --fd N | --dump]\n\t[--once] [--interval MS] [--verbose] "
	      "[--help]\n", f);
}

static long number(const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < min || n > max) {
		fprintf(stderr, "vmm-guest-agent: %s: need a number from %ld "
			"to %ld\n", text, min, max);
		exit(2);
	}
	return n;
}

static void parse(struct agent *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", 1, NULL, 'p' }, { "serial", 1, NULL, 's' },
		{ "unix", 1, NULL, 'u' }, { "fd", 1, NULL, 'f' },
		{ "dump", 0, NULL, 'd' }, { "once", 0, NULL, 'o' },
		{ "interval", 1, NULL, 'i' }, { "verbose", 0, NULL, 'v' },
		{ "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'p': a->port = number(optarg, 1, 0x7fffffff); break;
		case 's': a->serial_path = optarg; break;
		case 'u': a->unix_path = optarg; break;
		case 'f': a->given_fd = number(optarg, 0, 65535); break;
		case 'd': a->out.dump = stdout; break;
		case 'o': a->once = true; break;
		case 'i': a->interval_ms = number(optarg,
			PROTOCOL_MIN_INTERVAL_MS, PROTOCOL_MAX_INTERVAL_MS);
			break;
		case 'v': a->verbose = true; break;
		case 'h': usage(stdout); exit(0);
		default: usage(stderr); exit(2);
		}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct agent a = { .port = VMM_AGENT_VSOCK_PORT,
		.interval_ms = 1000, .given_fd = -1, .out.fd = -1 };
	int rc;

	parse(&a, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	rc = pages_open(&a.pages);
	if (rc) {
		fprintf(stderr, "vmm-guest-agent: /proc/zoneinfo: %s\n",
			strerror(-rc));
		return 1;
	}
	if (a.pages.fd < 0)
		fprintf(stderr, "vmm-guest-agent: not root: no frame numbers "
			"and no page flags, regions and pressure only\n");
	if (a.out.dump) {
		a.once = true;
		return serve(&a) ? 1 : 0;
	}
	for (;;) {
		rc = a.out.fd = connect_host(&a);
		if (rc >= 0) {
			rc = serve(&a);
			close(a.out.fd);
		}
		if (a.once || a.given_fd >= 0)
			break;
		if (a.verbose)
			fprintf(stderr, "vmm-guest-agent: %s; trying again\n",
				strerror(-rc));
		poll(NULL, 0, 1000);
	}
	pages_close(&a.pages);
	if (rc < 0)
		fprintf(stderr, "vmm-guest-agent: %s\n", strerror(-rc));
	return rc < 0;
}
