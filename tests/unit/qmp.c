// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client of QEMU's monitor with a monitor that answers late, and with one
 * that sends events without end.  The server is a thread of the test: a real
 * QEMU can't be made to be late at a chosen command.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/qemu/qemu-guest.h"
#include "vmm/qemu/qmp.h"

#define HANGS_S 300	/* a wait that has no end is ended by then */
#define EVENT	"{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 0}}\r\n"

static char dir[] = "/tmp/qmp.XXXXXX";
static char path[64];

struct monitor {
	void (*serve)(FILE *f);		/* after the greeting */
	int fd;
	pthread_t thread;
};

/* NULL: the client has gone. */
static json_t *read_request(FILE *f)
{
	return json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
}

static bool is_command(const json_t *request, const char *command)
{
	const char *c = json_string_value(json_object_get(request, "execute"));

	return c && !strcmp(c, command);
}

/* By the command's own name; takes the request. */
static void answer(FILE *f, json_t *request)
{
	const char *c = json_string_value(json_object_get(request, "execute"));
	char *id = json_dumps(json_object_get(request, "id"),
			      JSON_ENCODE_ANY);

	if (is_command(request, "refuse"))
		fprintf(f, "{\"error\": {\"desc\": \"refused\"}");
	else if (is_command(request, "query-status"))
		fprintf(f, "{\"return\": {\"status\": \"running\"}");
	else if (is_command(request, "query-migrate"))
		fprintf(f, "{\"return\": {\"status\": \"active\"}");
	else
		fprintf(f, "{\"return\": {\"status\": \"%s\"}", c ? c : "");
	fprintf(f, id ? ", \"id\": %s}\r\n" : "}\r\n", id);
	fflush(f);
	free(id);
	json_decref(request);
}

static void *monitor_thread(void *arg)
{
	struct monitor *m = arg;
	int fd = accept(m->fd, NULL, NULL);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r+");

	if (!f)
		return NULL;
	fputs("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n", f);
	fflush(f);
	answer(f, read_request(f));
	m->serve(f);
	fclose(f);
	return NULL;
}

static struct qmp *begin(struct monitor *m, void (*serve)(FILE *f),
			 int stop_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct qmp *qmp;
	char why[256];

	strcpy(addr.sun_path, path);
	m->serve = serve;
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (m->fd < 0 || bind(m->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(m->fd, 1) ||
	    pthread_create(&m->thread, NULL, monitor_thread, m))
		tap_bail("no server");
	if (qmp_open(&qmp, path, stop_fd, why, sizeof(why)))
		tap_bail("%s", why);
	return qmp;
}

static void end(struct monitor *m, struct qmp *qmp)
{
	qmp_close(qmp);
	pthread_join(m->thread, NULL);
	close(m->fd);
	unlink(path);
}

/* --- late ----------------------------------------------------------------- */

/* The first two are answered when the third has come. */
static void serve_late(FILE *f)
{
	json_t *first = read_request(f), *second = read_request(f), *r;

	r = read_request(f);
	answer(f, first);
	answer(f, second);
	fputs(EVENT, f);
	for (; r; r = read_request(f))
		answer(f, r);
}

/* On a busy machine the server itself may be late. */
static int ask(struct qmp *qmp, const char *command, json_t **ret, char *why,
	       size_t len)
{
	int rc;

	do
		rc = qmp_command(qmp, command, ret, why, len);
	while (rc == -ETIMEDOUT);
	return rc;
}

static void test_late(void)
{
	struct monitor m;
	struct qmp *qmp = begin(&m, serve_late, -1);
	json_t *ret = NULL;
	char why[256] = "";
	const char *status;

	is_int(qmp_command(qmp, "one", &ret, why, sizeof(why)), -ETIMEDOUT,
	       "no answer: the wait has an end");
	is_int(qmp_command(qmp, "refuse", &ret, why, sizeof(why)), -ETIMEDOUT,
	       "again");
	is_int(ask(qmp, "three", &ret, why, sizeof(why)), 0,
	       "one that is answered, after the two before it");
	status = json_string_value(json_object_get(ret, "status"));
	ok(status && !strcmp(status, "three"),
	   "gets its own answer, not a late one: %s", status ? status : "none");
	json_decref(ret);
	is_int(qmp_events(qmp), 1, "late answers are no events");
	is_int(ask(qmp, "refuse", NULL, why, sizeof(why)), -EREMOTEIO,
	       "so does one that is refused");
	ok(strstr(why, "refused"), "with its reason: %s", why);
	end(&m, qmp);
}

/* Of its first look and the second none is answered in time, of a third all. */
static void test_late_motion(void)
{
	struct monitor m;
	struct qmp *qmp = begin(&m, serve_late, -1);
	enum qemu_migration migration = QEMU_MIGRATION_OUTGOING;
	char why[256] = "";
	int rc;

	is_int(qemu_guest_migration(qmp, &migration, why, sizeof(why)),
	       -ETIMEDOUT, "a guest that migrates, and no answer");
	do
		rc = qemu_guest_migration(qmp, &migration, why, sizeof(why));
	while (rc == -ETIMEDOUT);
	is_int(rc, 0, "later there is one");
	is_int(migration, QEMU_MIGRATION_OUTGOING,
	       "and the guest still migrates");
	end(&m, qmp);
}

/* --- events without end --------------------------------------------------- */

#define NR_BURST 1000	/* fit into the socket */

static atomic_bool has_come;

static void serve_burst(FILE *f)
{
	for (int i = 0; i < NR_BURST; i++)
		fputs(EVENT, f);
	fflush(f);
	has_come = true;
	json_decref(read_request(f));
}

static void test_burst(void)
{
	struct monitor m;
	struct qmp *qmp = begin(&m, serve_burst, -1);
	int nr, sum = 0, most = 0;

	while (!has_come)
		usleep(1000);
	do {
		nr = qmp_events(qmp);
		sum += nr;
		most = nr > most ? nr : most;
	} while (nr > 0);
	is_int(sum, NR_BURST, "many events at once are all read");
	ok(most < NR_BURST / 2, "a part at a time: %d", most);
	end(&m, qmp);
}

/* What takes longer to understand than to send: there is always more of it. */
static void serve_flood(FILE *f)
{
	static char event[64 << 10];
	size_t n = sprintf(event, "{\"event\": \"E\", \"data\": [");

	while (n < sizeof(event) - 16)
		n += sprintf(event + n, "[],");
	strcpy(event + n, "[]]}\r\n");
	while (fputs(event, f) >= 0)
		;
}

static void test_flood(void)
{
	struct monitor m;
	int stop_fd = eventfd(0, EFD_CLOEXEC);
	struct qmp *qmp = begin(&m, serve_flood, stop_fd);
	char why[256];

	is_int(qmp_command(qmp, "query-status", NULL, why, sizeof(why)),
	       -ETIMEDOUT, "events without end: no answer is waited for longer");
	if (eventfd_write(stop_fd, 1))
		tap_bail("no event");
	is_int(qmp_command(qmp, "query-status", NULL, why, sizeof(why)),
	       -ECANCELED, "and none at all when told to stop");
	ok(qmp_events(qmp) > 0, "which is no end of the monitor");
	end(&m, qmp);
	close(stop_fd);
}

int main(void)
{
	alarm(HANGS_S);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		tap_bail("no directory");
	snprintf(path, sizeof(path), "%s/qmp", dir);
	test_late();
	test_late_motion();
	test_burst();
	test_flood();
	rmdir(dir);
	return tap_done();
}
