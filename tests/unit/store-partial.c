// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An NBD server that answers some requests and others never: the answered ones
 * continue.  The server is a script, in nbdkit.
 */
#include "config.h"

#include "tests/unit/store-nbd.h"

/*
 * Tests of the shell, with $3 (bytes) and $4 (offset): requests for which they
 * are true have no answer while there is the error file.
 */
struct script {
	const char *read_hangs, *write_hangs, *trim_hangs;
	bool multi_conn;
};

/* A script as the server, of a disk that is a file. */
static void start_script(struct setting *t, const struct script *s)
{
	static const char form[] = "%s=while [ -e %s ] && %s; do sleep 0.1; "
		"done; dd %s=%s bs=65536 status=none %s";
	char disk[64], pread[512], pwrite[512], trim[256], multi[32];
	const char *const args[] = {
		"eval", "thread_model=echo parallel", "get_size=echo 64M",
		"can_write=exit 0", "can_trim=exit 0", multi, pread, pwrite,
		trim, NULL,
	};

	make_disk(t, disk, sizeof(disk));
	snprintf(multi, sizeof(multi), "can_multi_conn=exit %d",
		 s->multi_conn ? 0 : 3);
	snprintf(pread, sizeof(pread), form, "pread", t->server.error_file,
		 s->read_hangs, "if", disk,
		 "iflag=skip_bytes,count_bytes skip=$4 count=$3");
	snprintf(pwrite, sizeof(pwrite), form, "pwrite", t->server.error_file,
		 s->write_hangs, "of", disk,
		 "iflag=fullblock oflag=seek_bytes seek=$4 conv=notrunc");
	snprintf(trim, sizeof(trim), "trim=while [ -e %s ] && %s; do "
		 "sleep 0.1; done", t->server.error_file, s->trim_hangs);
	open_store(t, args, TIMEOUT_NS);
}

/* One page in STEP: each read is a shell of the server's, and takes its time. */
#define STEP 8

static int check_sample(struct setting *t)
{
	int rc = 0;

	for (uint64_t k = 0; !rc && k < NR; k += STEP)
		rc = check_all(t->store, t->coder, k, t->numbers + k, 1);
	return rc;
}

/* nr pages, each of which may have to wait. */
static bool get_in_time(struct setting *t, uint64_t first, uint64_t nr)
{
	for (uint64_t k = first; k < first + nr; k++) {
		uint64_t until = clock_now_ns() + SECONDS(120);
		int rc;

		while ((rc = get(t, k)) == -ETIMEDOUT && clock_now_ns() < until)
			usleep(50000);
		if (rc)
			return false;
	}
	return true;
}

/* The first segment hangs, and the device works but for that. */
static void test_bad_place(bool multi_conn)
{
	const struct script s = {
		"[ $4 -lt 1048576 ]", "false", "false", multi_conn,
	};
	struct setting t;

	new_server(&t);
	start_script(&t, &s);
	/* Memory has no room for 250: by then it is the second segment. */
	ok(get_in_time(&t, 260, 10), "%s: pages of the second segment are read",
	   multi_conn ? "many connections" : "one connection");
	nbd_server_fail(&t.server, true);
	is_int(get(&t, 0), -ETIMEDOUT, "the first does not answer any more");
	ok(comes_to(&t, DEVICE_STALLED), "the device is told to be stalled");
	ok(get_in_time(&t, 270, 10), "others are read all the same");
	is_int(get(&t, 0), -ETIMEDOUT, "those of the first wait");
	nbd_server_fail(&t.server, false);
	is_int(check_sample(&t), 0, "it answers again: pages are what they "
				   "were");
	ok(comes_to(&t, DEVICE_OK), "and all is well");
	close_store(&t);
	forget_lines();
}

static void answers_again(struct setting *t)
{
	nbd_server_fail(&t->server, false);
	is_int(put_all(t, 3000), 0, "it answers again: pages can be put");
	ok(comes_to(t, DEVICE_OK), "all is well");
	is_int(check_sample(t), 0, "pages are what they were");
	close_store(t);
	forget_lines();
}

/* A single connection, and all writes hang: reads don't wait for them. */
static void test_no_writes(void)
{
	const struct script s = { "false", "true", "false", false };
	struct setting t;
	uint64_t far;

	new_server(&t);
	start_script(&t, &s);
	far = store_stats_of(t.store).nr_far;
	nbd_server_fail(&t.server, true);
	is_int(put_until_refused(&t, 1000), -ETIMEDOUT,
	       "a write has no answer");
	ok(comes_to(&t, DEVICE_STALLED), "the device is told to be stalled");
	ok(get_in_time(&t, 270, 10), "pages on it are read all the same");
	is_int(put_until_refused(&t, 2000), -ETIMEDOUT,
	       "writes are refused still");
	ok(store_stats_of(t.store).nr_far <= far, "no page went there");
	ok(store_stats_of(t.store).far_lost_bytes >= MIB,
	   "where it was to be written is not used any more");
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "every page is what it was");
	answers_again(&t);
}

/* The same of discards. */
static void test_no_trims(void)
{
	const struct script s = { "false", "false", "true", false };
	struct setting t;

	new_server(&t);
	start_script(&t, &s);
	nbd_server_fail(&t.server, true);
	for (uint64_t k = 0; k < 260; k++) {
		store_drop(t.store, k);
		t.numbers[k] = 0;
	}
	ok(comes_to(&t, DEVICE_STALLED), "a discard has no answer");
	ok(get_in_time(&t, 270, 10), "pages are read all the same");
	answers_again(&t);
}

int main(void)
{
	alarm(1200);
	catch_stderr();
	test_bad_place(true);
	test_bad_place(false);
	test_no_writes();
	test_no_trims();
	return tap_done();
}
