// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `vmm balance` and its guests: its configuration on the command line and in
 * files, and sockets that answer, refuse, hang, and send garbage.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/balance/guests.h"

static char dir[] = "/tmp/balance.XXXXXX";

/* A guest: answers every connection with `answer`, keeps the last PUT. */
struct server {
	char path[100];
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;		/* of the three below */
	char answer[512], put[512];
	int status;
};

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
	    listen(fd, 8))
		tap_bail("no socket at %s", path);
	return fd;
}

/* Until the header's end and as much body as it says. */
static void read_request(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 &&
	       (n = read(fd, text + len, size - 1 - len)) > 0) {
		const char *end, *body;

		len += n;
		text[len] = 0;
		end = strstr(text, "\r\n\r\n");
		body = strstr(text, "Content-Length: ");
		if (end && (!body || strlen(end + 4) >=
			    strtoul(body + 16, NULL, 10)))
			return;
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	char text[4096], head[160];
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		read_request(fd, text, sizeof(text));
		pthread_mutex_lock(&s->lock);
		if (!strncmp(text, "PUT", 3))
			snprintf(s->put, sizeof(s->put), "%s",
				 strstr(text, "\r\n\r\n") + 4);
		snprintf(head, sizeof(head), "HTTP/1.1 %d OK\r\n"
			 "Connection: close\r\nContent-Length: %zu\r\n\r\n",
			 s->status, strlen(s->answer));
		if (write(fd, head, strlen(head)) < 0 ||
		    write(fd, s->answer, strlen(s->answer)) < 0)
			printf("# a client hung up\n");
		pthread_mutex_unlock(&s->lock);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->path, sizeof(s->path), "%s/%s", dir, name);
	s->status = 200;
	pthread_mutex_init(&s->lock, NULL);
	s->fd = listen_at(s->path);
	if (pthread_create(&s->thread, NULL, serve, s))
		tap_bail("no thread");
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
}

static void say(struct server *s, int status, const char *answer)
{
	pthread_mutex_lock(&s->lock);
	s->status = status;
	snprintf(s->answer, sizeof(s->answer), "%s", answer);
	pthread_mutex_unlock(&s->lock);
}

static void say_stats(struct server *s, int pid, int refaults)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"pid\": %d, \"memory\": {\"bytes\": "
		 "1048576, \"resident_bytes\": 524288, \"swapped_bytes\": 4096},"
		 "\"engine\": {\"nr_scans\": 5, \"nr_refaults\": %d, "
		 "\"period_ns\": 1000000000, \"pages_by_idle_scans\": [100, 28]"
		 "}, \"policy\": {\"enabled\": true, \"target_bytes\": 524288}}",
		 pid, refaults);
	say(s, 200, text);
}

static struct balance_config config;
static struct balance_guests all = { .config = &config, .named_only = true,
				     .swap_ns = 5000, .stop_fd = -1 };

static void name_guest(const char *name)
{
	char text[256], why[256];

	snprintf(text, sizeof(text), "%s,min=64K,socket=%s/%s", name, dir,
		 name);
	if (balance_config_guest(&config, text, why, sizeof(why)))
		tap_bail("%s", why);
}

static void test_sockets(void)
{
	struct balance_result res;
	struct server a, b;
	int hung;

	server_start(&a, "a");
	server_start(&b, "b");
	hung = socket(AF_UNIX, SOCK_STREAM, 0);
	close(hung);
	name_guest("a");
	name_guest("b");
	name_guest("nobody");
	name_guest("hung");
	say_stats(&a, 1, 10);
	say_stats(&b, 2, 10);
	is_int(balance_guests_poll(&all), 2, "two of four are there");
	ok(!all.guests[0].fixed && all.guests[0].resident == 128 &&
	   all.guests[0].swapped == 1 && all.guests[0].memory == 256 &&
	   all.guests[0].ages[1] == 28 && all.guests[0].min == 16,
	   "what one says is understood");
	is_int(all.guests[0].refaults_per_s, 0, "one look tells no rate");
	ok(fabs(all.guests[0].refault_ns - 5000) < 1e-6,
	   "without a store a refault costs what swap does");

	{
		char path[128];

		snprintf(path, sizeof(path), "%s/hung", dir);
		hung = listen_at(path);
	}
	usleep(1000);
	say_stats(&a, 1, 1000);
	is_int(balance_guests_poll(&all), 3, "a third one listens");
	ok(all.guests[0].refaults_per_s > 0, "two looks do");
	ok(all.guests[2].fixed && !all.members[2].responds &&
	   *all.members[2].why, "it says nothing: it is kept as it is");
	balance_decide(all.guests, all.nr, 200, &res);
	is_int(balance_guests_set_targets(&all), 2,
	       "those that answer are told");
	ok(strstr(a.put, "\"enabled\":true") &&
	   strstr(a.put, "\"target_bytes\":") && *b.put, "a policy: %s", a.put);
	balance_decide(all.guests, all.nr, 200, &res);
	is_int(balance_guests_set_targets(&all), 0,
	       "and not told the same again");

	say(&b, 400, "{\"error\": \"no sink\"}");
	all.guests[1].target++;
	balance_guests_set_targets(&all);
	ok(all.members[1].refuses && all.guests[1].fixed &&
	   !strcmp(all.members[1].why, "no sink"),
	   "one that refuses is left as it is, and why is kept");
	say_stats(&b, 2, 10);
	balance_guests_poll(&all);
	ok(all.guests[1].fixed, "also later");
	say_stats(&b, 3, 10);
	balance_guests_poll(&all);
	ok(!all.guests[1].fixed && all.members[1].nr_polls == 1,
	   "until another process has its name");
	say(&a, 200, "nonsense");
	balance_guests_poll(&all);
	ok(all.nr == 3 && all.guests[0].fixed && *all.members[0].why,
	   "one that talks nonsense is left as it is");
	say_stats(&a, 1, 1000);
	balance_guests_restore(&all);
	ok(strstr(a.put, "524288"), "policies can be put back: %s", a.put);

	server_stop(&b);
	balance_guests_poll(&all);
	ok(all.nr == 2 && !strcmp(all.members[1].name, "hung"),
	   "one that has ended is gone, and no other");
	close(hung);
	server_stop(&a);
}

/* Guests that never answer, and a stop: neither a look nor the end waits for them. */
static void test_stop(void)
{
	const char *const mute[] = { "mute0", "mute1", "mute2", "mute3" };
	int stop_fd = eventfd(1, EFD_CLOEXEC), fds[4];
	unsigned int nr_silent = 0, nr_mute = 0;
	struct server s;
	char path[128];

	if (stop_fd < 0)
		tap_bail("no eventfd");
	all.nr = 0;
	memset(&config, 0, sizeof(config));
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, mute[i]);
		fds[i] = listen_at(path);
		name_guest(mute[i]);
	}
	server_start(&s, "answers");
	name_guest("answers");
	say_stats(&s, 1, 10);
	/* On a busy machine one that answers may be late, too: again. */
	for (int n = 0; n < 60 && !(all.nr && all.members[4].responds); n++) {
		for (size_t i = 0; i < all.nr; i++)
			all.members[i].wait = 0;
		balance_guests_poll(&all);
	}
	is_int(all.nr, 5, "four of five don't answer");
	ok(all.members[4].responds, "who answers is heard beside them");
	for (size_t i = 0; i < all.nr; i++)
		all.members[i].nr_silent = all.members[i].wait = 0;
	all.stop_fd = stop_fd;
	balance_guests_poll(&all);
	for (size_t i = 0; i < all.nr; i++)
		nr_silent += all.members[i].nr_silent;
	is_int(nr_silent, 0, "told to stop: no answer is waited for");
	/* As if all had answered once. */
	for (size_t i = 0; i < all.nr; i++)
		nr_mute += !all.members[i].nr_polls++;
	is_int(nr_mute, 4, "four have never said anything");
	for (int n = 0; n < 60 && !*s.put; n++)
		balance_guests_restore(&all);
	ok(strstr(s.put, "524288"), "a policy is put back: %s", s.put);
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, mute[i]);
		unlink(path);
		close(fds[i]);
	}
	server_stop(&s);
	close(stop_fd);
}

static void refused(const char *text, const char *part)
{
	struct balance_config *c = calloc(1, sizeof(*c));
	char why[256] = "";

	ok(balance_config_guest(c, text, why, sizeof(why)) &&
	   strstr(why, part), "--guest %s: %s", text, why);
	free(c);
}

static int load(struct balance_config *c, const char *text, char *why)
{
	char path[128];
	FILE *f;
	int rc;

	memset(c, 0, sizeof(*c));
	snprintf(path, sizeof(path), "%s/config", dir);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		tap_bail("no file");
	rc = balance_config_file(c, path, why, 256);
	unlink(path);
	return rc;
}

static void test_config(void)
{
	static const char *const bad[][2] = {
		{ "[]", "object" }, { "{", "line" },
		{ "{\"targets\": 1}", "unknown key 'targets': did you mean 'target'?" },
		{ "{\"target\": \"much\"}", "target='much' is not a size" },
		{ "{\"target\": true}", "target='true' is not a size" },
		{ "{\"guests\": 5}", "must be an object" },
		{ "{\"guests\": {\"a\": 5}}", "must be an object" },
		{ "{\"guests\": {\"a\": {\"share\": 2}}}", "unknown key 'share': did you mean 'shares'?" },
		{ "{\"guests\": {\"a\": {\"shares\": 0}}}", "above 0" },
		{ "{\"guests\": {\"../a\": {}}}", "name of a VM" },
	};
	struct balance_config *c = calloc(1, sizeof(*c));
	char why[256] = "";

	refused("", "name of a VM");
	refused("a/b", "name of a VM");
	refused("a,shares=0", "above 0");
	refused("a,shares=-1", "above 0");
	refused("a,shares=nan", "above 0");
	refused("a,shares= 2", "above 0");
	refused("a,shares=+2", "above 0");
	refused("a,shares=two", "above 0");
	refused("a,min=some", "size like 512M");
	refused("a,much=1", "unknown key 'much'");
	ok(!balance_config_guest(c, "a,shares=2.5,min=512M,max=1G", why,
				 sizeof(why)) &&
	   c->rules[0].shares > 2.4 && c->rules[0].min_bytes == 512 << 20,
	   "a guest with all");
	ok(!balance_config_guest(c, "a,max=256M", why, sizeof(why)) &&
	   c->nr_rules == 1 && c->rules[0].shares > 2.4, "named again: more of it");
	c->target_bytes = 1 << 30;
	ok(balance_config_check(c, why, sizeof(why)) == -EINVAL &&
	   strstr(why, "above max="), "min above max: %s", why);
	c->rules[0].max_bytes = 0;
	ok(!balance_config_check(c, why, sizeof(why)), "without, all is well");
	c->target_bytes = 1 << 20;
	ok(balance_config_check(c, why, sizeof(why)) && strstr(why, "min="),
	   "minima above the target: %s", why);
	c->target_bytes = 0;
	ok(balance_config_check(c, why, sizeof(why)) &&
	   strstr(why, "--target"), "no target: %s", why);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(load(c, bad[i][0], why) && strstr(why, bad[i][1]),
		   "%s: %s", bad[i][0], why);
	ok(!load(c, "{\"target\": \"12G\", \"guests\": {\"a\": {\"shares\": 2, "
		 "\"max\": 4096, \"socket\": \"/s\"}, \"b\": {}}}", why) &&
	   c->target_bytes == 12ull << 30 && c->nr_rules == 2 &&
	   c->rules[0].max_bytes == 4096 && c->rules[1].shares > 0.9 &&
	   !strcmp(c->rules[0].socket, "/s"), "a file with all");
	free(c);
}

int main(void)
{
	if (!mkdtemp(dir))
		tap_bail("no directory");
	test_config();
	test_sockets();
	test_stop();
	ok(balance_host_available() > 1 << 20, "the host has memory available");
	printf("# a refault from swap costs %.0f ns here\n",
	       balance_swap_cost_ns());
	rmdir(dir);
	return tap_done();
}
