// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store on a real NBD server that hangs, is slow, fails, or is killed and
 * restarted.  Timeouts here end a hang; nothing depends on speed, except that a
 * stalled device is not waited for again: that would take longer than the
 * limit.
 */
#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/store-nbd.h"

static void test_stands_still(void)
{
	static const char *const args[] = { "memory", "64M", NULL };
	struct setting t;
	struct store_stats st;
	uint64_t from;
	int nr_timed_out = 0;

	new_server(&t);
	open_store(&t, args, TIMEOUT_NS);
	is_int(store_stats_of(t.store).device_state, DEVICE_OK, "it is well");
	nbd_server_stop(&t.server);
	from = clock_now_ns();
	is_int(get(&t, 0), -ETIMEDOUT, "the server stands still: a timeout");
	ok(clock_now_ns() - from >= TIMEOUT_NS, "not before time");
	ok(comes_to(&t, DEVICE_STALLED), "the device is told to be stalled");
	st = store_stats_of(t.store);
	ok(strstr(st.last_error, "no answer") && st.last_error_ns >= from,
	   "last_error: %s", st.last_error);
	is_int(st.nr_late_reads, 1, "the read is counted as late");
	from = clock_now_ns();
	for (int i = 0; i < 200; i++)
		nr_timed_out += get(&t, i % 100) == -ETIMEDOUT;
	is_int(nr_timed_out, 200, "all others time out");
	ok(clock_now_ns() - from < SECONDS(100), "at once");
	is_int(get(&t, NR - 1), 0, "pages in memory are served");
	from = clock_now_ns();
	for (int i = 0; i < 100; i++) {
		store_drop(t.store, i);
		t.numbers[i] = 0;
	}
	ok(clock_now_ns() - from < SECONDS(50), "pages are dropped at once");
	from = clock_now_ns();
	is_int(put_until_refused(&t, 1000), -ETIMEDOUT,
	       "when memory is full, a put is refused");
	ok(clock_now_ns() - from < SECONDS(50), "at once");
	is_int(await_lines("has not answered"), 1, "one line says so");
	/* Until a probe has given up its new connection. */
	sleep(12);
	is_int(count_lines("answers again"), 0, "it does not answer by itself");
	is_int(store_stats_of(t.store).device_state, DEVICE_STALLED,
	       "it is stalled still");
	nbd_server_continue(&t.server);
	ok(comes_to(&t, DEVICE_OK), "it goes on: the store finds out by itself");
	is_int(await_lines("answers again"), 1, "one line says so");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "every page is what it was");
	is_int(put_all(&t, 2000), 0, "and others can be put");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0, "and are there");
	forget_lines();
	nbd_server_stop(&t.server);
	is_int(get(&t, 0), -ETIMEDOUT, "it stands still again");
	from = clock_now_ns();
	close_store(&t);
	ok(clock_now_ns() - from < SECONDS(30),
	   "the store ends with requests without an answer");
}

/* The write that makes room has no answer, and the pages stay in memory. */
static void test_write_without_answer(void)
{
	static const char *const args[] = { "memory", "64M", NULL };
	struct setting t;
	uint64_t far, last = 0;
	unsigned int nr_put = 0;

	new_server(&t);
	open_store(&t, args, TIMEOUT_NS);
	far = store_stats_of(t.store).nr_far;
	nbd_server_stop(&t.server);
	is_int(put_until_refused(&t, 1000), -ETIMEDOUT, "a write stalls");
	ok(comes_to(&t, DEVICE_STALLED), "so does the device");
	is_int(store_stats_of(t.store).nr_late_writes, 1, "it is counted");
	is_int(put_until_refused(&t, 1000), -ETIMEDOUT, "no room is made");
	is_int(store_stats_of(t.store).nr_late_writes, 1, "no more is written");
	ok(store_stats_of(t.store).nr_far <= far, "no page went there");
	/* The last page that was put is being written; so often put again. */
	while (t.numbers[last + 1])
		last++;
	for (uint32_t i = 0; i < 256; i++)
		nr_put += !put(&t, last, 9000 + i);
	is_int(nr_put, 256, "a page that is being written can be put again");
	nbd_server_continue(&t.server);
	ok(comes_to(&t, DEVICE_OK), "the server goes on");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "what is there is what was put last");
	is_int(put_all(&t, 3000), 0, "room is made again");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "every page is what it was");
	close_store(&t);
	forget_lines();
}

/* Each answer takes longer than anybody waits; yet all come. */
static void test_slow(void)
{
	static const char *const args[] = {
		"--filter=delay", "memory", "64M", "rdelay=1500ms",
		"wdelay=1500ms", NULL,
	};
	struct setting t;
	int rc = 0;

	new_server(&t);
	open_store(&t, args, SECONDS(1));
	ok(true, "writes that are late: all pages are put in the end");
	ok(store_stats_of(t.store).nr_far > 200 &&
	   store_stats_of(t.store).nr_late_writes, "on the device, and late");
	for (uint64_t k = 0; k < 3; k++) {
		for (int i = 0; i < 600 && (rc = get(&t, k)); i++)
			usleep(100000);
		is_int(rc, 0, "reads that are late come when asked again");
	}
	ok(store_stats_of(t.store).nr_late_reads, "they were late");
	close_store(&t);
	forget_lines();
}

/* A server that has a disk, is killed, and is restarted with it. */
static void test_killed(void)
{
	char disk[64];
	const char *const args[] = { "file", disk, NULL };
	struct setting t;
	struct store_stats st;
	int rc;

	new_server(&t);
	make_disk(&t, disk, sizeof(disk));
	open_store(&t, args, TIMEOUT_NS);
	nbd_server_kill(&t.server);
	rc = get(&t, 0);
	ok(rc && rc != -EBADMSG && rc != -EILSEQ, "it is killed: %s",
	   strerror(-rc));
	rc = get(&t, 1);
	ok(rc && rc != -EBADMSG && rc != -EILSEQ, "and again: %s",
	   strerror(-rc));
	st = store_stats_of(t.store);
	ok(st.nr_disconnected && st.device_state != DEVICE_OK,
	   "counted, with last_error: %s", st.last_error);
	ok(put_until_refused(&t, 1000) < 0, "nothing can be written");
	ok(await_lines("store: cannot read") == 1, "one line says so");
	nbd_server_start(&t.server, args);
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "it is started again: every page is what it was");
	is_int(put_all(&t, 2000), 0, "others can be put");
	ok(comes_to(&t, DEVICE_OK), "and the device is well");
	is_int(store_stats_of(t.store).far_lost_bytes, 0,
	       "no room was lost: nothing was being written");
	forget_lines();

	nbd_server_stop(&t.server);
	is_int(put_until_refused(&t, 3000), -ETIMEDOUT,
	       "it stands still during a write");
	nbd_server_kill(&t.server);
	nbd_server_start(&t.server, args);
	is_int(put_all(&t, 4000), 0, "it is killed and started again: pages can be put");
	is_int(store_stats_of(t.store).far_lost_bytes, MIB,
	       "what may have been written is not used any more");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "every page is what it was");
	close_store(&t);
	forget_lines();
}

/* Its socket, which takes one connection into its queue, and that is there. */
static void listen_only(struct setting *t, int *server, int *client)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", t->server.dir);
	unlink(a.sun_path);
	*server = socket(AF_UNIX, type, 0);
	*client = socket(AF_UNIX, type, 0);
	if (*server < 0 || *client < 0 ||
	    bind(*server, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(*server, 0) ||
	    connect(*client, (struct sockaddr *)&a, sizeof(a)))
		tap_bail("no socket: %s", strerror(errno));
}

/* A server that stands still for long has no place for one more connection. */
static void test_full_queue(void)
{
	char disk[64];
	const char *const args[] = { "file", disk, NULL };
	struct setting t;
	int server, client;

	new_server(&t);
	make_disk(&t, disk, sizeof(disk));
	open_store(&t, args, TIMEOUT_NS);
	nbd_server_kill(&t.server);
	listen_only(&t, &server, &client);
	is_int(get(&t, 0), -ETIMEDOUT, "no place in the queue: a timeout");
	ok(comes_to(&t, DEVICE_STALLED), "the device is told to be stalled");
	/* Until the attempt is given up, and another one begun. */
	sleep(8);
	is_int(store_stats_of(t.store).device_state, DEVICE_STALLED,
	       "it stays so");
	is_int(count_lines("answers again"), 0, "nobody says that it answers");
	is_int(store_stats_of(t.store).nr_read_errors, 0,
	       "nor that it has failed");
	close(client);
	close(server);
	nbd_server_start(&t.server, args);
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "a server that answers: every page is what it was");
	close_store(&t);
	forget_lines();
}

static void test_error(const char *name, int rc)
{
	char error[32], file[96];
	const char *const args[] = {
		"--filter=error", "memory", "64M", error, "error-rate=100%",
		file, NULL,
	};
	struct store_stats st;
	struct setting t;
	uint64_t far;

	new_server(&t);
	snprintf(error, sizeof(error), "error=%s", name);
	snprintf(file, sizeof(file), "error-file=%s", t.server.error_file);
	open_store(&t, args, 10 * TIMEOUT_NS);
	far = store_stats_of(t.store).nr_far;
	nbd_server_fail(&t.server, true);
	is_int(get(&t, 0), rc, name);
	is_int(get(&t, 1), rc, "a second read fails, too");
	is_int(put_until_refused(&t, 1000), rc, "so does a write");
	is_int(put_until_refused(&t, 1000), rc, "and another");
	st = store_stats_of(t.store);
	ok(st.nr_read_errors == 2 && st.nr_write_errors == 2 &&
	   st.nr_no_space == (rc == -ENOSPC ? 2 : 0) &&
	   st.device_state == DEVICE_FAILED, "all are counted");
	ok(strstr(st.last_error, strerror(-rc)), "last_error: %s",
	   st.last_error);
	ok(st.nr_far <= far, "no page went there");
	is_int(await_lines("store: cannot read"), 1, "one line for the reads");
	is_int(await_lines("store: cannot write"), 1,
	       "one line for the writes");
	nbd_server_fail(&t.server, false);
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "it works again: every page is what it was");
	is_int(put_all(&t, 2000), 0, "others can be put");
	is_int(store_stats_of(t.store).device_state, DEVICE_OK,
	       "the device is well");
	close_store(&t);
	forget_lines();
}

/* A server that accepts, or has, no connection: an error, in time. */
static void test_open(void)
{
	static const char *const args[] = { "memory", "64M", NULL };
	struct store_device *dev;
	struct nbd_server n;
	char why[256];

	nbd_server_new(&n);
	nbd_server_start(&n, args);
	nbd_server_stop(&n);
	ok(store_nbd_open(&dev, n.uri, 0, why, sizeof(why)) == -ETIMEDOUT &&
	   strstr(why, "does not answer"), "a server that stands still: %s",
	   why);
	nbd_server_free(&n);
}

/* An export that is too small: the message says for what. */
static void test_too_small(void)
{
	static const struct {
		const char *has;
		uint64_t bytes;
		const char *why;
	} cases[] = {
		{ "0", 0, " has 0 bytes: export a device or a file of 4M" },
		{ "0", 8 << 20, " has 0 bytes: export a device or a file" },
		{ "4M", 8 << 20, " has 4194304 bytes, fewer than size=: " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const args[] = { "memory", cases[i].has, NULL };
		struct store_device *dev;
		struct nbd_server n;
		char why[256] = "";

		nbd_server_new(&n);
		nbd_server_start(&n, args);
		is_int(store_nbd_open(&dev, n.uri, cases[i].bytes, why,
				      sizeof(why)), -EFBIG, "it is too small");
		ok(strstr(why, cases[i].why), "%s", why);
		nbd_server_free(&n);
	}
}

int main(void)
{
	alarm(1200);
	catch_stderr();
	test_open();
	test_too_small();
	test_stands_still();
	test_write_without_answer();
	test_slow();
	test_killed();
	test_full_queue();
	test_error("EIO", -EIO);
	test_error("ENOSPC", -ENOSPC);
	return tap_done();
}
