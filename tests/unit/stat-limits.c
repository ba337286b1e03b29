// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket with misbehaving clients: all of its connections occupied,
 * requests that never end, answers that are never read.  Each time another
 * client makes a request, and is answered.
 *
 * Waits have no limit but DEADLINE_S, which only ends a hang; the speed of
 * answers is measured in CPU time of this process, which includes the server.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/client/client.h"
#include "vmm/control/events.h"
#include "vmm/control/inspect.h"
#include "vmm/control/jobs.h"
#include "vmm/control/job-limit.h"
#include "vmm/control/server.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/clock.h"

#define DEADLINE_S   300
#define ANSWER_NS    UINT64_C(200000000)	/* of CPU */
#define NR_HELD	     64				/* as many as the server has */
#define NR_FEW	     48			/* descriptors, below NR_HELD */
#define MEM_BYTES    (UINT64_C(8) << 20)
#define PID_REGIONS  7		/* has more regions than are reported */
#define PID_PLACES   8		/* has one frame at many places */
#define NR_REGIONS   (STAT_MAX_REGIONS + 10)
#define NR_PLACES    (STAT_PAGE_MAPPINGS_COUNT + 5000)
#define GFN_PLACES   300
#define STATS	     "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n"

static char dir[] = "/tmp/vmm-limits-XXXXXX";
static char path[64], why[512];
static struct guest_mem *mem;
static struct view *view;
static struct stat_server *server;

/* --- the guest ------------------------------------------------------------- */

static void apply(struct protocol_message m)
{
	view_apply(view, &m);
}

static void tell_regions(void)
{
	apply((struct protocol_message){ .type = PROTOCOL_MM,
		.mm = { PID_REGIONS, 0, PROTOCOL_NO_PGD, "regions" } });
	for (uint64_t i = 1; i <= NR_REGIONS; i++)
		apply((struct protocol_message){ .type = PROTOCOL_VMA,
			.vma = { i << 16, (i << 16) + 4096, i << 4, 0, 0,
				 PROTOCOL_VM_READ, PROTOCOL_VMA_NEW } });
	apply((struct protocol_message){ .type = PROTOCOL_MM_END,
					 .pid = PID_REGIONS });
}

static void tell_places(void)
{
	struct protocol_run runs[1000];
	uint64_t at = 0x400000;

	apply((struct protocol_message){ .type = PROTOCOL_MM,
		.mm = { PID_PLACES, 0, PROTOCOL_NO_PGD, "places" } });
	apply((struct protocol_message){ .type = PROTOCOL_VMA,
		.vma = { at, at + (NR_PLACES + 1000) * 4096ull, at >> 12, 0, 0,
			 PROTOCOL_VM_READ, PROTOCOL_VMA_NEW } });
	for (unsigned int n = 0; n < NR_PLACES; n += 1000) {
		for (unsigned int i = 0; i < 1000; i++, at += 4096)
			runs[i] = (struct protocol_run){ at, GFN_PLACES, 1, 0 };
		apply((struct protocol_message){ .type = PROTOCOL_RUNS,
						 .nr = 1000, .runs = runs });
	}
	apply((struct protocol_message){ .type = PROTOCOL_MM_END,
					 .pid = PID_PLACES });
}

static void setup(void)
{
	struct stat_server_config config = { .path = path, .name = "limits" };

	if (guest_mem_new(&mem, MEM_BYTES, GUEST_MEM_ANON) ||
	    view_new(&view, mem))
		tap_bail("no guest memory or view");
	view_apply_reset(view);
	apply((struct protocol_message){ .type = PROTOCOL_EPOCH_BEGIN,
					 .epoch = { 1, PROTOCOL_EPOCH_FULL } });
	tell_regions();
	tell_places();
	apply((struct protocol_message){ .type = PROTOCOL_EPOCH_END,
					 .epoch = { 1, 0 } });
	config.mem = mem;
	config.view = view;
	if (stat_server_new(&server, &config, why, sizeof(why)))
		tap_bail("no server: %s", why);
}

/* --- clients --------------------------------------------------------------- */

static int connect_client(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		tap_bail("can't connect: %s", strerror(errno));
	return fd;
}

static bool say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) ==
	       (ssize_t)strlen(text);
}

/* Reads until the answer has `text` in it; false at the end of the stream. */
static bool hear(int fd, const char *text)
{
	static char heard[1 << 20];
	struct pollfd p = { fd, POLLIN, 0 };
	size_t len = 0;
	ssize_t n;

	heard[0] = 0;
	while (!strstr(heard, text)) {
		if (len == sizeof(heard) - 1 || poll(&p, 1, DEADLINE_S * 1000) != 1)
			return false;
		n = read(fd, heard + len, sizeof(heard) - 1 - len);
		if (n <= 0)
			return false;
		len += n;
		heard[len] = 0;
	}
	return true;
}

static bool ends(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[4096];
	ssize_t n;

	do {
		if (poll(&p, 1, DEADLINE_S * 1000) != 1)
			return false;
		n = read(fd, buf, sizeof(buf));
	} while (n > 0);
	return true;
}

/* As an operator asks; within so much CPU. */
static void ask(const char *resource, const char *name)
{
	uint64_t before = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID), took;
	json_t *j = NULL;
	int rc = stat_request_within(path, resource, NULL, DEADLINE_S * 1000, &j,
				     why, sizeof(why));

	took = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
	ok(!rc && (json_array_size(j) || json_object_size(j)) &&
	   took < ANSWER_NS, "%s: %s is answered, in %.1f ms of CPU", name,
	   resource, took / 1e6);
	if (rc)
		printf("# %s\n", why);
	json_decref(j);
}

/* Several times, as each that comes takes the place of another one. */
static void ask_beside(int *held, unsigned int nr, const char *name)
{
	for (int i = 0; i < 3; i++)
		ask("/stats", name);
	for (unsigned int i = 0; i < nr; i++)
		close(held[i]);
}

static void hold(int held[], unsigned int nr, const char *text)
{
	for (unsigned int i = 0; i < nr; i++) {
		held[i] = connect_client();
		/* Its connection may be closed already, for another one. */
		say(held[i], text);
	}
}

static void test_held(void)
{
	static const struct {
		const char *name, *text;
	} t[] = {
		{ "idle clients", "" },
		{ "half requests", "GET /sta" },
		{ "half headers", "GET /stats HTTP/1.1\r\nHost: x\r\nX-Half" },
		{ "half bodies",
		  "PUT /policy HTTP/1.1\r\nHost: x\r\n"
		  "Content-Length: 100\r\n\r\n{\"enab" },
		{ "half chunks",
		  "PUT /policy HTTP/1.1\r\nHost: x\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n40\r\n{\"ena" },
	};
	int held[4 * NR_HELD];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		hold(held, NR_HELD, t[i].text);
		ask_beside(held, NR_HELD, t[i].name);
	}
	hold(held, 4 * NR_HELD, "");
	ask_beside(held, 4 * NR_HELD, "four times as many");
}

/*
 * The one that is closed gets the reason, unless it has had a part of an
 * answer.
 */
static void test_evicted(void)
{
	int first = connect_client(), held[NR_HELD + 1];

	hold(held, NR_HELD, "");
	ok(hear(first, "503") && ends(first),
	   "the oldest idle connection ends with a sentence");
	close(first);
	for (int i = 0; i < NR_HELD; i++)
		close(held[i]);

	first = connect_client();
	ok(say(first, STATS) && hear(first, "\"memory\""), "one that works");
	hold(held, NR_HELD / 2, "");
	ok(say(first, STATS) && hear(first, "\"memory\""), "goes on");
	hold(held + NR_HELD / 2, NR_HELD / 2 - 1, "");
	ok(say(first, STATS) && hear(first, "\"memory\""), "and on");
	hold(held + NR_HELD - 1, 1, "");
	ok(say(first, STATS) && hear(first, "\"memory\""),
	   "when others must go it is not the one");
	close(first);
	for (int i = 0; i < NR_HELD; i++)
		close(held[i]);
}

/* More than the socket has room for, and never read. */
static void test_slow_readers(void)
{
	enum { NR_ASKED = 400 };
	static char many[NR_ASKED * sizeof(STATS)];
	int held[NR_HELD];

	many[0] = 0;
	for (int i = 0; i < NR_ASKED; i++)
		strcat(many, STATS);
	for (int i = 0; i < NR_HELD; i++) {
		held[i] = connect_client();
		send(held[i], many, strlen(many), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	ask_beside(held, NR_HELD, "answers that nobody reads");
}

static void test_events(void)
{
	static const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
	int held[EVENT_MAX_READERS], one_more, nr = 0;

	for (int i = 0; i < EVENT_MAX_READERS; i++) {
		held[i] = connect_client();
		nr += say(held[i], request) && hear(held[i], "jsonl");
	}
	is_int(nr, EVENT_MAX_READERS, "/events has so many readers");
	one_more = connect_client();
	ok(say(one_more, request) && hear(one_more, "too many clients read"),
	   "one more is refused, and told why");
	close(one_more);
	ask("/stats", "readers of /events");
	for (int i = 0; i < EVENT_MAX_READERS; i++)
		close(held[i]);
}

/* --- requests that are too long --------------------------------------------- */

/* What the server takes of something without end; it must end the connection. */
static uint64_t feed(int fd, const char *piece, uint64_t limit)
{
	uint64_t sent = 0;
	ssize_t n;

	while (sent < limit) {
		n = send(fd, piece, strlen(piece), MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += n;
	}
	return sent;
}

static void test_long_bodies(void)
{
	const uint64_t limit = UINT64_C(64) << 20;
	static char piece[0x8000 + 16];
	int fd = connect_client();

	ok(say(fd, "PUT /policy HTTP/1.1\r\nHost: x\r\n"
		   "Content-Length: 107374182400\r\n\r\n") &&
	   hear(fd, " 413 ") && ends(fd),
	   "a body of 100 GB is refused before it comes");
	close(fd);

	fd = connect_client();
	strcpy(piece, "8000\r\n");
	memset(piece + 6, ' ', 0x8000);
	strcpy(piece + 6 + 0x8000, "\r\n");
	say(fd, "PUT /policy HTTP/1.1\r\nHost: x\r\n"
		"Transfer-Encoding: chunked\r\n\r\n");
	ok(feed(fd, piece, limit) < limit,
	   "a body in chunks without end is cut");
	ok(hear(fd, " 413 ") && ends(fd), "with an answer");
	close(fd);

	fd = connect_client();
	say(fd, "GET /stats HTTP/1.1\r\n");
	memset(piece, 'x', 0x8000);
	memcpy(piece, "X-Flood: ", 9);
	strcpy(piece + 0x4000, "\r\n");
	ok(feed(fd, piece, limit) < limit && ends(fd),
	   "headers without end are cut");
	close(fd);
	ask("/stats", "after that");
}

static void test_pipelining(void)
{
	static const char three[] = STATS "GET /vms HTTP/1.1\r\nHost: x\r\n\r\n"
		"GET /processes HTTP/1.1\r\nHost: x\r\n\r\n"
		"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = connect_client();

	ok(say(fd, three) && hear(fd, "no such resource") && ends(fd),
	   "requests one after the other in one piece are answered, to the "
	   "last");
	close(fd);
}

/* --- what takes long --------------------------------------------------------- */

#define PROCESSES "GET /processes HTTP/1.1\r\nHost: x\r\n\r\n"

/* The only one of them that has been answered; -1: none. */
static int answered(const int held[], unsigned int nr)
{
	struct pollfd p[STAT_MAX_JOBS + 1];
	int who = -1;

	for (unsigned int i = 0; i < nr; i++)
		p[i] = (struct pollfd){ held[i], POLLIN, 0 };
	if (poll(p, nr, DEADLINE_S * 1000) == 1)
		for (unsigned int i = 0; i < nr; i++)
			if (p[i].revents)
				who = (int)i;
	return who;
}

static void test_long(void)
{
	int held[STAT_MAX_JOBS + 1], who, nr = 0;

	/* No thread can read the guest's processes now. */
	view_wrlock(view);
	hold(held, STAT_MAX_JOBS + 1, PROCESSES);
	ask("/vms", "requests that take long");
	who = answered(held, STAT_MAX_JOBS + 1);
	ok(who >= 0 && hear(held[who], "too many long requests"),
	   "so many wait, and one more is told");
	if (who < 0)
		who = 0;
	close(held[who]);
	held[who] = held[STAT_MAX_JOBS];
	/* Of this one nothing is worked out. */
	close(held[STAT_MAX_JOBS - 1]);
	view_unlock(view);
	for (int i = 0; i < STAT_MAX_JOBS - 1; i++) {
		nr += hear(held[i], "\"places\"");
		close(held[i]);
	}
	is_int(nr, STAT_MAX_JOBS - 1, "all are answered in the end");
}

static void test_caps(void)
{
	json_t *j = NULL;

	stat_request_within(path, "/process/7", NULL, DEADLINE_S * 1000, &j, why,
			    sizeof(why));
	is_int(json_array_size(json_object_get(j, "vmas")), STAT_MAX_REGIONS,
	       "of many regions so many are told");
	is_int(json_integer_value(json_object_get(j, "nr_vmas_left_out")),
	       NR_REGIONS - STAT_MAX_REGIONS, "and how many are not");
	json_decref(j);
	j = NULL;
	stat_request_within(path, "/page/300", NULL, DEADLINE_S * 1000, &j, why,
			    sizeof(why));
	is_int(json_integer_value(json_object_get(j, "nr_mappings")),
	       STAT_PAGE_MAPPINGS_COUNT, "of many mappings so many are seen");
	ok(json_is_false(json_object_get(j, "nr_mappings_is_exact")),
	   "and that there are more");
	json_decref(j);
}

static void test_job_limit(void)
{
	struct stat_server_config config = { .mem = mem, .view = view };
	atomic_bool stopping = false;
	struct stat_job_limit p = { .stopping = &stopping,
				    .cpu_end_ns = UINT64_MAX };
	unsigned int status = 200;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		tap_bail("no sockets");
	p.fd = pair[0];
	is_int(stat_job_limit_check(NULL), 0, "without a limit there is none");
	is_int(stat_job_limit_check(&p), 0, "somebody waits");
	shutdown(pair[1], SHUT_WR);
	is_int(stat_job_limit_check(&p), 0, "also one that has said all");
	p.cpu_end_ns = 0;
	is_int(stat_job_limit_check(&p), -ETIME, "it took too long");
	config.job_limit = &p;
	ok(!stat_inspect_processes(&config, &status, why, sizeof(why)) &&
	   status == 503, "who looks at processes ends then: %s", why);
	status = 200;
	ok(!stat_inspect_process(&config, PID_PLACES, &status, why,
				 sizeof(why)) && status == 503, "or at one");
	p.cpu_end_ns = UINT64_MAX;
	close(pair[1]);
	is_int(stat_job_limit_check(&p), -ECANCELED, "nobody waits any more");
	close(pair[0]);
	p.fd = -1;
	atomic_store(&stopping, true);
	is_int(stat_job_limit_check(&p), -ECANCELED, "the server stops");
}

/* --- the end ------------------------------------------------------------------ */

static void *stop_server(void *arg)
{
	stat_server_free(server);
	return NULL;
}

static void test_end(void)
{
	int held[STAT_MAX_JOBS + 2];
	unsigned int nr = 0;
	pthread_t thread;

	view_wrlock(view);
	hold(held, STAT_MAX_JOBS, PROCESSES);
	held[STAT_MAX_JOBS] = connect_client();
	held[STAT_MAX_JOBS + 1] = connect_client();
	say(held[STAT_MAX_JOBS + 1], "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	ask("/vms", "before the end");
	/* The lock is this thread's: the server must end in another one. */
	if (pthread_create(&thread, NULL, stop_server, NULL))
		tap_bail("no thread");
	/* By now it mostly waits for the thread that waits for the lock. */
	usleep(200000);
	view_unlock(view);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < STAT_MAX_JOBS + 2; i++) {
		nr += ends(held[i]);
		close(held[i]);
	}
	is_int(nr, STAT_MAX_JOBS + 2, "the server ends, whatever waits");
}

/* --- few descriptors --------------------------------------------------------- */

/* As a VM has it under `ulimit -n 64`; until the pipe ends. */
static void serve_with_few(int ready, int end)
{
	struct stat_server_config config = { .path = path, .name = "few",
					     .mem = mem, .view = view };
	const struct rlimit few = { NR_FEW, NR_FEW };
	char byte = 0;

	if (setrlimit(RLIMIT_NOFILE, &few) ||
	    stat_server_new(&server, &config, why, sizeof(why)))
		_exit(1);
	if (write(ready, &byte, 1) == 1 && read(end, &byte, 1) == 0)
		stat_server_free(server);
	_exit(0);
}

static void test_few_descriptors(void)
{
	int ready[2], end[2], held[NR_HELD];
	char byte;

	if (pipe(ready) || pipe(end))
		tap_bail("no pipe");
	if (!fork()) {
		close(end[1]);
		serve_with_few(ready[1], end[0]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		tap_bail("no server with few descriptors");
	hold(held, NR_HELD, "");
	/* Since the server stops, not at the limit of the job. */
	ok(hear(held[0], "503"), "more idle clients than descriptors");
	ask_beside(held, NR_HELD, "they are closed for others");
	close(ready[0]);
	close(end[0]);
	close(end[1]);
	wait(NULL);
}

int main(void)
{
	int idle;

	if (!mkdtemp(dir))
		tap_bail("no directory in /tmp");
	snprintf(path, sizeof(path), "%s/s", dir);
	setup();
	ask("/stats", "at first");
	test_held();
	test_evicted();
	test_slow_readers();
	test_events();
	test_long_bodies();
	test_pipelining();
	test_long();
	test_caps();
	test_job_limit();
	idle = connect_client();
	ok(ends(idle), "a client that says nothing is left in the end");
	close(idle);
	test_end();
	test_few_descriptors();
	view_free(view);
	guest_mem_free(mem);
	rmdir(dir);
	return tap_done();
}
