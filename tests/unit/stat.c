// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The statistics socket, over a real unix socket with the real view, engine
 * and client.  The access source is a made-up one: every page of the first
 * MiB is young in each scan.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/client/client-multi.h"
#include "vmm/client/client.h"
#include "vmm/control/server.h"
#include "vmm/control/stat-snapshot.h"
#include "vmm/guest/view-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/listen.h"

#define MEM_BYTES (UINT64_C(8) << 20)
#define NR_YOUNG  256
#define GFN_MAPPED 300
#define GFN_USED   10	/* mapped, and young */
#define RACERS	  4u	/* who listen at once */
#define VM_NAME	  "unit \"test\" \xfc"
#define NAME_SHOWN "unit \"test\" ?"	/* JSON has no such byte */

static char dir[] = "/tmp/vmm-stat-XXXXXX";
static char path[64], path_shown[64], why[512];

static int source_arm(struct access_source *src, struct gfn_range range)
{
	return 0;
}

static int source_harvest(struct access_source *src, struct gfn_range range,
			  uint64_t *young)
{
	uint64_t end = range.start.v + range.nr;

	bitmap_clear_range(young, range.start.v, end);
	if (range.start.v < NR_YOUNG)
		bitmap_set_range(young, range.start.v,
				 end < NR_YOUNG ? end : NR_YOUNG);
	return 0;
}

static void source_close(struct access_source *src)
{
}

static const struct access_source_ops source_ops = {
	.name = "first-mib",
	.what = "the first MiB is young",
	.arm = source_arm,
	.harvest = source_harvest,
	.close = source_close,
};
static struct access_source source = { .ops = &source_ops, .granule_pages = 1 };

struct fixture {
	struct guest_mem *mem;
	struct view *view;
	struct reclaim_sink *sink;
	struct engine *engine;
	struct stat_server *server;
};

/* As an agent sends it. */
static void fill_map(struct fixture *f)
{
	const struct protocol_run runs[] = {
		{ 0x401000, GFN_MAPPED, 1, 0 },
		{ 0x402000, GFN_USED, 1, 0 },
	};
	const struct protocol_message told[] = {
		{ .type = PROTOCOL_EPOCH_BEGIN,
		  .epoch = { 1, PROTOCOL_EPOCH_FULL } },
		{ .type = PROTOCOL_MM,
		  .mm = { 42, 0, PROTOCOL_NO_PGD, "test" } },
		{ .type = PROTOCOL_VMA,
		  .vma = { 0x400000, 0x500000, 0x400, 0, 0,
			   PROTOCOL_VM_READ | PROTOCOL_VM_WRITE,
			   PROTOCOL_VMA_NEW } },
		{ .type = PROTOCOL_RUNS, .nr = 2, .runs = runs },
		{ .type = PROTOCOL_MM_END, .pid = 42 },
		{ .type = PROTOCOL_EPOCH_END, .epoch = { 1, 0 } },
	};

	view_apply_reset(f->view);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		view_apply(f->view, &told[i]);
	view_wrlock(f->view);
	if (rmap_page_set_flags(view_map(f->view), GFN_MAPPED, RMAP_PG_ANON))
		tap_bail("can't fill the reverse map");
	view_unlock(f->view);
}

static void setup(struct fixture *f)
{
	struct stat_server_config config = { .path = path, .name = VM_NAME };
	struct engine_config ec = { .policy = ENGINE_POLICY_DEFAULT };
	uint8_t *p;

	if (guest_mem_new(&f->mem, MEM_BYTES, GUEST_MEM_ANON) ||
	    view_new(&f->view, f->mem))
		tap_bail("no guest memory or view");
	p = guest_mem_ptr(f->mem, GPA(0), MEM_BYTES);
	memset(p, 1, MEM_BYTES);
	fill_map(f);
	f->sink = NULL;
	ec.mem = f->mem;
	ec.view = f->view;
	ec.source = &source;
	ec.sink = f->sink;
	ec.policy.scan_period_ms = 50;
	if (engine_new(&f->engine, &ec))
		tap_bail("no engine");
	config.mem = f->mem;
	config.view = f->view;
	config.engine = f->engine;
	if (stat_server_new(&f->server, &config, why, sizeof(why)))
		tap_bail("no server: %s", why);
}

static void teardown(struct fixture *f)
{
	stat_server_free(f->server);
	engine_free(f->engine);
	view_free(f->view);
	guest_mem_free(f->mem);
}

static json_t *get(const char *resource)
{
	json_t *j = NULL;

	stat_request(path, resource, NULL, &j, why, sizeof(why));
	return j;
}

static json_int_t member(const json_t *j, const char *section, const char *name)
{
	return json_integer_value(
		json_object_get(json_object_get(j, section), name));
}

static void is_text(const json_t *j, const char *want, const char *what)
{
	const char *got = json_string_value(j);

	if (!ok(got && !strcmp(got, want), "%s", what))
		printf("# got '%s', want '%s'\n", got ? got : "(none)", want);
}

/* Refusals repeat what was requested, and may cut it within a character. */
static void test_not_utf8(void)
{
	static const struct {
		const char *resource, *why;
	} cases[] = {
		{ "/%ff", "no such resource: /?" },
		{ "/page/%c3%28", "'?(' is not a guest frame number" },
		{ "/wss?window=%fe",
		  "window: '?' is not a number of seconds above 0 and up to "
		  "86400" },
		{ "/process/123456789012345678901234567890123456789%c3%a4",
		  "'123456789012345678901234567890123456789?' is not a process "
		  "id" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *j = get(cases[i].resource);

		ok(!j && !strcmp(why, cases[i].why), "%s is answered: %s",
		   cases[i].resource, why);
		json_decref(j);
	}
}

static void test_stats(void)
{
	json_t *j = NULL, *ages;

	for (int i = 0; i < 6000; i++) {
		json_decref(j);
		j = get("/stats");
		if (member(j, "engine", "nr_scans") >= 3)
			break;
		usleep(50000);
	}
	ok(member(j, "engine", "nr_scans") >= 3, "/stats sees the scans");
	is_int(member(j, "memory", "bytes"), MEM_BYTES, "memory.bytes");
	is_int(member(j, "memory", "resident_bytes"), MEM_BYTES,
	       "memory.resident_bytes");
	is_int(member(j, "engine", "nr_young"), NR_YOUNG, "engine.nr_young");
	is_int(member(j, "rmap", "nr_mms"), 1, "rmap.nr_mms");
	ages = json_object_get(json_object_get(j, "engine"),
			       "pages_by_idle_scans");
	is_int(json_integer_value(json_array_get(ages, 0)), NR_YOUNG,
	       "pages of age 0 are the young ones");
	ages = json_object_get(json_object_get(j, "engine"),
			       "blocks_2m_by_idle_scans");
	is_int(json_integer_value(json_array_get(ages, 0)), 1,
	       "one 2 MiB has young ones");
	is_text(json_object_get(j, "name"), NAME_SHOWN,
		"/stats: a name with quotes survives, but is UTF-8");
	json_decref(j);

	j = get("/vms");
	is_int(json_array_size(j), 1, "/vms has one VM");
	is_int(json_integer_value(json_object_get(json_array_get(j, 0), "pid")),
	       getpid(), "/vms tells the process");
	is_text(json_object_get(json_array_get(j, 0), "name"), NAME_SHOWN,
		"/vms tells the name");
	is_text(json_object_get(json_array_get(j, 0), "socket"), path_shown,
		"/vms tells the path, as UTF-8");
	json_decref(j);

	j = get("/wss");
	ok(json_array_size(json_object_get(j, "pages_by_idle_scans")) ==
	   ENGINE_AGES, "/wss has all ages");
	json_decref(j);
}

static json_int_t bytes(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static json_t *first(const json_t *o, const char *name)
{
	return json_array_get(json_object_get(o, name), 0);
}

static void test_wss(void)
{
	json_t *j, *o;

	/* Within a window this short: what the last scan saw. */
	j = get("/wss?window=0.001");
	is_int(bytes(j, "wss_bytes"), NR_YOUNG * 4096, "/wss: what was used");
	is_int(bytes(j, "high_bytes"), NR_YOUNG * 4096, "and no more");
	o = first(j, "processes");
	is_int(bytes(o, "pid"), 42, "/wss has the process");
	is_int(bytes(o, "wss_bytes"), 4096, "and which of its pages was used");
	ok(!json_object_get(o, "vmas"), "no regions unless asked for");
	json_decref(j);

	/* All frames appeared in the first scan: used, but not detected. */
	j = get("/wss?window=86400&pid=42");
	is_int(bytes(j, "low_bytes"), NR_YOUNG * 4096,
	       "/wss of all time: at least what was seen");
	is_int(bytes(j, "high_bytes"), MEM_BYTES, "at most all there is");
	o = json_object_get(j, "basis");
	is_int(bytes(j, "wss_bytes") - bytes(o, "edge_low_bytes") -
		       bytes(o, "assumed_bytes") - bytes(o, "unresolved_bytes"),
	       bytes(j, "low_bytes"), "the reasons add up below");
	is_int(bytes(j, "wss_bytes") + bytes(o, "edge_high_bytes"),
	       bytes(j, "high_bytes"), "and above");
	o = first(first(j, "processes"), "vmas");
	is_int(bytes(o, "start"), 0x400000, "/wss?pid= has the regions");
	is_int(bytes(o, "low_bytes"), 4096, "at least the page that was seen");
	is_int(bytes(o, "high_bytes"), 2 * 4096, "at most both");
	json_decref(j);
}

static void test_page(void)
{
	json_t *j = get("/page/300"), *m, *hex;

	m = json_array_get(json_object_get(j, "mappings"), 0);
	is_int(json_integer_value(json_object_get(m, "pid")), 42,
	       "/page names the process");
	is_int(json_integer_value(json_object_get(m, "address")), 0x401000,
	       "/page names the linear address");
	is_int(json_integer_value(json_object_get(j, "mapcount")), 0,
	       "mapped once: _mapcount 0");
	hex = get("/page/0x12c");
	ok(json_object_get(hex, "gfn") &&
	   json_equal(json_object_get(hex, "gfn"), json_object_get(j, "gfn")),
	   "/page takes hexadecimal");
	json_decref(hex);
	hex = get("/page/0300");
	ok(json_object_get(hex, "gfn") &&
	   json_equal(json_object_get(hex, "gfn"), json_object_get(j, "gfn")),
	   "and no octal");
	json_decref(hex);
	json_decref(j);
	j = get("/page/3");
	is_int(json_array_size(json_object_get(j, "mappings")), 0,
	       "a page that nobody maps has no mappings");
	is_int(json_integer_value(json_object_get(j, "idle_scans")), 0,
	       "a young page is not idle");
	ok(json_object_get(j, "block_2m_idle_scans") &&
	   !json_integer_value(json_object_get(j, "block_2m_idle_scans")),
	   "nor is the huge page it is in, or would be");
	json_decref(j);
}

static void test_policy(void)
{
	static const struct {
		const char *body, *error;
	} bad[] = {
		{ "[]", "object" },
		{ "{\"enabled\": 1}", "enabled" },
		{ "{\"hard\": \"on\"}", "hard" },
		{ "{\"target_bytes\": -1}", "target_bytes" },
		{ "{\"target_bytes\": \"1G\"}", "target_bytes" },
		{ "{\"cpu_percent\": 99999999999}", "cpu_percent" },
		{ "{\"scan_period_ms\": 0}", "'scan_period_ms' is 0: it must be "
		  "a whole number from 10 to 3600000" },
		{ "{\"min_idle_scans\": 255}", "from 1 to 254 (scans)" },
		{ "{\"colour\": 1}", "unknown member 'colour': expected one of "
		  "enabled" },
		{ "{\"cpu_per_cent\": 1}", "did you mean 'cpu_percent'?" },
		{ "{\"node_target_bytes\": [-1]}", "node_target_bytes" },
	};
	json_t *body = json_pack("{s:i}", "min_idle_scans", 7), *j = NULL;
	json_t *before = get("/policy");

	ok(!stat_request(path, "/policy", body, &j, why, sizeof(why)),
	   "PUT /policy");
	is_int(json_integer_value(json_object_get(j, "min_idle_scans")), 7,
	       "the answer is the new policy");
	ok(json_equal(json_object_get(j, "scan_period_ms"),
		      json_object_get(before, "scan_period_ms")),
	   "what the PUT does not name stays");
	json_decref(before);
	json_decref(body);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *answer = NULL;

		body = json_loads(bad[i].body, 0, NULL);
		ok(stat_request(path, "/policy", body, &answer, why,
				sizeof(why)) == -EINVAL &&
		   strstr(why, bad[i].error),
		   "PUT /policy %s is refused by name", bad[i].body);
		json_decref(body);
		json_decref(answer);
	}
	before = get("/policy");
	ok(json_equal(before, j), "refused policies changed nothing");
	json_decref(before);
	json_decref(j);
}

/* What `vmm policy TEXT` sends. */
static void test_policy_changes(void)
{
	static const struct {
		const char *text, *json;
	} t[] = {
		{ "cpu=10", "{\"cpu_percent\": 10}" },
		{ "off", "{\"enabled\": false}" },
		{ "target=1M,hard=off", "{\"enabled\": true, \"hard\": false, "
		  "\"target_bytes\": 1048576}" },
		{ "node1=1M", "{\"enabled\": true, \"node_target_bytes\": "
		  "[4096, 1048576]}" },
		{ "cpu=0", NULL },
	};
	struct engine_policy now = ENGINE_POLICY_DEFAULT;

	now.node_target_bytes[0] = 4096;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		json_t *want = t[i].json ? json_loads(t[i].json, 0, NULL) : NULL;
		json_t *got = stat_policy_changes_json(&now, t[i].text, why,
						       sizeof(why));

		ok(want ? json_equal(got, want) : !got,
		   "vmm policy %s sends only this", t[i].text);
		json_decref(want);
		json_decref(got);
	}
}

static int connect_to(const char *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", p);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Sends raw bytes and reads until the server closes. */
static char *raw(const char *request)
{
	int fd = connect_to(path);
	char *answer = calloc(1, 1 << 20);
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		tap_bail("can't send to %s", path);
	while ((n = read(fd, answer + len, (1 << 20) - 1 - len)) > 0)
		len += n;
	close(fd);
	return answer;
}

static void test_http(void)
{
	static const struct {
		const char *request, *status;
	} t[] = {
		{ "GET /nothing HTTP/1.0\r\n\r\n", " 404 " },
		{ "GET /page/ HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /page/-1 HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /page/12x HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /page/99999999999999999999999 HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /page/999999 HTTP/1.0\r\n\r\n", " 404 " },
		{ "GET /process/1 HTTP/1.0\r\n\r\n", " 404 " },
		{ "GET /process/4294967296 HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?window=0 HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?window=nan HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?window=1e99 HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?window=5m HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?pid=x HTTP/1.0\r\n\r\n", " 400 " },
		{ "GET /wss?pid=7 HTTP/1.0\r\n\r\n", " 404 " },
		{ "DELETE /policy HTTP/1.0\r\n\r\n", " 405 " },
		{ "POST /stats HTTP/1.0\r\nContent-Length: 0\r\n\r\n", " 405 " },
		{ "PUT /policy HTTP/1.0\r\nContent-Length: 4\r\n\r\n{{{{",
		  " 400 " },
	};
	char *big = malloc(200 << 10), *a;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = raw(t[i].request);
		ok(strstr(a, t[i].status) && strstr(a, "\"error\""),
		   "%.30s... ->%s", t[i].request, t[i].status);
		free(a);
	}
	strcpy(big, "PUT /policy HTTP/1.0\r\nContent-Length: 150000\r\n\r\n");
	memset(big + strlen(big) + 1, 0, 1);
	memset(strchr(big, 0), ' ', 150000);
	a = raw(big);
	ok(strstr(a, " 413 "), "a body that is too long is refused");
	free(a);
	free(big);
}

/* Each sample follows its TYPE; counters end in _total; EOF is last. */
static void test_metrics(void)
{
	char *a = raw("GET /metrics HTTP/1.0\r\n\r\n");
	char *body = strstr(a, "\r\n\r\n"), *save, family[128] = "", type[16];
	bool sound = true, eof = false, escaped = false;
	unsigned int nr = 0;

	ok(strstr(a, "application/openmetrics-text; version=1.0.0"),
	   "/metrics has the content type");
	for (char *l = strtok_r(body + 4, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save)) {
		size_t n = strlen(family);

		sound &= !eof;
		if (!strcmp(l, "# EOF")) {
			eof = true;
		} else if (sscanf(l, "# TYPE %127s %15s", family, type) != 2 &&
			   *l != '#') {
			sound &= !strncmp(l, family, n);
			sound &= !strncmp(l + n, strcmp(type, "counter") ?
					  "{" : "_total{", 1);
			escaped |= strstr(l, "{vm=\"unit \\\"test\\\" ?\"}") != NULL;
			nr++;
		}
	}
	ok(sound && eof && nr > 30, "/metrics is sound, %u samples", nr);
	ok(escaped, "label values are escaped");
	free(a);
}

static int take_three(json_t *line, void *arg)
{
	int *nr = arg;

	if (json_object_get(line, "engine"))
		(*nr)++;
	return *nr == 3;
}

static void test_events(void)
{
	static const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
	int nr = 0, lazy = connect_to(path);
	json_t *j;

	if (send(lazy, request, strlen(request), MSG_NOSIGNAL) < 0)
		tap_bail("can't send");
	ok(!stat_stream(path, "/events", take_three, &nr, why, sizeof(why)),
	   "/events streams");
	is_int(nr, 3, "three lines came");
	j = get("/vms");
	ok(j, "a reader that does not read holds up nobody");
	json_decref(j);
	close(lazy);
	j = get("/vms");
	ok(j, "a reader that goes away does no harm");
	json_decref(j);
}

struct answers {
	int nr, ok, late, refused;
};

static void count_answer(void *arg, int rc, json_t *answer, const char *text)
{
	struct answers *a = arg;

	a->nr++;
	a->ok += !rc && member(answer, "memory", "bytes") == MEM_BYTES;
	a->late += rc == -ETIMEDOUT && !answer && *text;
	a->refused += rc == -ECONNREFUSED && !answer && *text;
	json_decref(answer);
}

/* One that listens and never answers keeps no other waiting. */
static void test_multi(void)
{
	struct stat_multi *m = stat_multi_new();
	struct answers a = { 0 }, forgotten = { 0 };
	char hung[80];
	int fd, nr_before_late = -1;

	snprintf(hung, sizeof(hung), "%s/hung", dir);
	fd = unix_listen(hung, "--x", why, sizeof(why));
	stat_multi_start(m, hung, "/stats", NULL, 1000, count_answer, &a);
	for (int i = 0; i < 5; i++)
		stat_multi_start(m, path, "/stats", NULL, 60000, count_answer,
				 &a);
	stat_multi_start(m, "/nonexistent/x", "/stats", NULL, 60000,
			 count_answer, &a);
	while (a.nr < 7 && !stat_multi_wait(m, NULL, 0, 100))
		if (!a.late)
			nr_before_late = a.nr;
	is_int(a.ok, 5, "several requests at once are answered");
	is_int(a.late, 1, "one that hangs is told of");
	is_int(a.refused, 1, "and one that nobody listens for");
	ok(nr_before_late >= 1, "others were answered meanwhile");
	stat_multi_start(m, hung, "/stats", NULL, 60000, count_answer,
			 &forgotten);
	stat_multi_wait(m, NULL, 0, 0);
	stat_multi_free(m);
	is_int(forgotten.nr, 0, "what is under way at the end is forgotten");
	close(fd);
	unlink(hung);
}

/* A socket that lives, but takes no connection of ours now. */
static void test_listen_other(int type, int backlog, const char *what)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0), waiting[4];
	struct stat st;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/other", dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
	    (type == SOCK_STREAM && listen(fd, backlog)))
		tap_bail("no socket of another");
	for (int i = 0; i < 4; i++) {
		waiting[i] = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
		if (connect(waiting[i], (struct sockaddr *)&sun, sizeof(sun)))
			errno = 0;
	}
	ok(unix_listen(sun.sun_path, "--x", why, sizeof(why)) == -EADDRINUSE &&
	   !stat(sun.sun_path, &st), "a socket %s is left alone", what);
	for (int i = 0; i < 4; i++)
		close(waiting[i]);
	close(fd);
	unlink(sun.sun_path);
}

struct listen_race {
	atomic_uint nr_ready, nr_done, nr_listen;
	atomic_bool go;
};

static void race_to_listen(struct listen_race *race, const char *p)
{
	atomic_fetch_add(&race->nr_ready, 1);
	while (!atomic_load(&race->go))
		usleep(10);
	if (unix_listen(p, "--x", why, sizeof(why)) >= 0)
		atomic_fetch_add(&race->nr_listen, 1);
	atomic_fetch_add(&race->nr_done, 1);
	/* To listen until the others have tried. */
	while (atomic_load(&race->nr_done) < RACERS)
		usleep(100);
	_exit(0);
}

/* Chance decides whether two meet: without the lock one round in ten. */
static void test_listen_race(void)
{
	struct listen_race *race = mmap(NULL, sizeof(*race),
					PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int nr_wrong = 0;
	char p[80];

	snprintf(p, sizeof(p), "%s/race", dir);
	for (int round = 0; round < 100; round++) {
		int left = unix_listen(p, "--x", why, sizeof(why));

		close(left);
		memset(race, 0, sizeof(*race));
		for (unsigned int i = 0; i < RACERS; i++)
			if (!fork())
				race_to_listen(race, p);
		while (atomic_load(&race->nr_ready) < RACERS)
			usleep(100);
		atomic_store(&race->go, true);
		while (wait(NULL) > 0)
			;
		nr_wrong += atomic_load(&race->nr_listen) != 1;
	}
	is_int(nr_wrong, 0, "of several at once exactly one listens");
	unlink(p);
	munmap(race, sizeof(*race));
}

static void test_listen(void)
{
	char p[80];
	struct stat st;
	int fd, fd2;

	ok(unix_listen(path, "--x", why, sizeof(why)) == -EADDRINUSE &&
	   strstr(why, "--x"), "a socket in use is refused, with the remedy");
	ok(!stat(path, &st) && (st.st_mode & 0777) == 0600,
	   "the socket is its owner's only");
	snprintf(p, sizeof(p), "%s/file", dir);
	close(open(p, O_CREAT | O_WRONLY, 0600));
	ok(unix_listen(p, "--x", why, sizeof(why)) == -EEXIST,
	   "a file that is no socket is left alone");
	unlink(p);
	fd = unix_listen(p, "--x", why, sizeof(why));
	close(fd);
	fd2 = unix_listen(p, "--x", why, sizeof(why));
	ok(fd >= 0 && fd2 >= 0, "a socket left behind is replaced");
	close(fd2);
	unlink(p);
	test_listen_other(SOCK_DGRAM, 0, "of another type");
	test_listen_other(SOCK_STREAM, 0, "where too many wait already");
	test_listen_race();
	memset(p, 'x', sizeof(p) - 1);
	p[sizeof(p) - 1] = 0;
	ok(stat_request("/nonexistent/vmm.sock", "/stats", NULL, NULL, why,
			sizeof(why)) == -ECONNREFUSED, "nobody there is said");
}

int main(void)
{
	struct fixture f;

	if (!mkdtemp(dir))
		tap_bail("no directory in /tmp");
	snprintf(path, sizeof(path), "%s/s\xfc", dir);
	snprintf(path_shown, sizeof(path_shown), "%s/s?", dir);
	setup(&f);
	test_stats();
	test_not_utf8();
	test_wss();
	test_page();
	test_policy();
	test_policy_changes();
	test_http();
	test_metrics();
	test_events();
	test_multi();
	test_listen();
	teardown(&f);
	ok(access(path, F_OK), "the socket is removed");
	rmdir(dir);
	return tap_done();
}
