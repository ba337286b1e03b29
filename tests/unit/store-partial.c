// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An NBD server that answers some requests and others never: what it answers
 * goes on.  The server is a script, in nbdkit.
 */
#include "config.h"

#include "tests/unit/store-nbd.h"

/*
 * A script as the server, of a disk that is a file: it does not answer what
 * `hangs`, a test of the shell with $3 (bytes) and $4 (offset), is true for
 * while there is the error file.
 */
static void start_script(struct setting *t, const char *read_hangs,
			 const char *write_hangs, bool multi_conn)
{
	static const char form[] = "%s=while [ -e %s ] && %s; do sleep 0.1; "
		"done; dd %s=%s bs=65536 status=none %s";
	char disk[64], pread[512], pwrite[512], multi[32];
	const char *const args[] = {
		"eval", "thread_model=echo parallel", "get_size=echo 64M",
		"can_write=exit 0", multi, pread, pwrite, NULL,
	};

	make_disk(t, disk, sizeof(disk));
	snprintf(multi, sizeof(multi), "can_multi_conn=exit %d",
		 multi_conn ? 0 : 3);
	snprintf(pread, sizeof(pread), form, "pread", t->server.error_file,
		 read_hangs, "if", disk,
		 "iflag=skip_bytes,count_bytes skip=$4 count=$3");
	snprintf(pwrite, sizeof(pwrite), form, "pwrite", t->server.error_file,
		 write_hangs, "of", disk,
		 "iflag=fullblock oflag=seek_bytes seek=$4 conv=notrunc");
	open_store(t, args, TIMEOUT_NS);
}

/* The first segment hangs, and the device works but for that. */
static void test_bad_place(bool multi_conn)
{
	struct setting t;
	uint64_t first, until;
	int rc, nr_right = 0;

	new_server(&t);
	start_script(&t, "[ $4 -lt 1048576 ]", "false", multi_conn);
	/* Memory has no room for 250: by then it is the second segment. */
	for (first = 260; first < 270; first++)
		nr_right += !get(&t, first);
	ok(nr_right == 10, "%s: pages of the second segment are read",
	   multi_conn ? "many connections" : "one connection");
	nbd_server_fail(&t.server, true);
	is_int(get(&t, 0), -ETIMEDOUT, "the first does not answer any more");
	ok(comes_to(&t, DEVICE_STALLED), "the device is told to be stalled");
	nr_right = 0;
	for (uint64_t k = 270; k < 280; k++) {
		until = clock_now_ns() + SECONDS(120);
		while ((rc = get(&t, k)) == -ETIMEDOUT && clock_now_ns() < until)
			usleep(50000);
		if (rc)
			break;
		nr_right++;
	}
	is_int(nr_right, 10, "others are read all the same");
	is_int(get(&t, 0), -ETIMEDOUT, "those of the first wait");
	nbd_server_fail(&t.server, false);
	is_int(check_all(t.store, t.coder, 0, t.numbers, NR), 0,
	       "it answers again: every page is what it was");
	ok(comes_to(&t, DEVICE_OK), "and all is well");
	close_store(&t);
	forget_lines();
}

int main(void)
{
	alarm(1200);
	catch_stderr();
	test_bad_place(true);
	test_bad_place(false);
	return tap_done();
}
