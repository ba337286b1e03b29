// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store on files: a file system that is full, one that hangs, a file that
 * may not grow, and one that another program writes to.
 */
#include "config.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/stderr-lines.h"
#include "tests/unit/store-pages.h"

#define NR	   1000			/* 3.9 MiB; memory takes less than 1 */
#define TIMEOUT_NS (30 * NSEC_PER_SEC)	/* of what is to fail by itself */

extern char **environ;

static char dir[] = "/tmp/vmm-store-file-XXXXXX";
static uint32_t numbers[NR];

static struct store *open_store_of(uint64_t bytes, const char *name,
				   uint64_t timeout_ns)
{
	struct store_device *dev;
	char path[64], why[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (store_file_open(&dev, path, bytes, why, sizeof(why)))
		tap_bail("%s", why);
	return new_store_on(NR, MIB, dev, timeout_ns);
}

static struct store *open_store(const char *name, uint64_t timeout_ns)
{
	return open_store_of(64 * MIB, name, timeout_ns);
}

/* From page `from` on, until one is refused.  0: none was. */
static int put_from(struct store *s, struct page_coder *c, uint64_t from)
{
	int rc = 0;

	for (uint64_t k = from; !rc && k < NR; k++)
		if (!numbers[k])
			rc = put_number(s, c, numbers, k, k + 1);
	return rc;
}

static void run(const char *const *argv)
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char **)argv, environ) ||
	    waitpid(pid, &status, 0) < 0 || status)
		tap_bail("%s failed", argv[0]);
}

/* Mounts of our own, which end with this process. */
static void enter_namespace(void)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		tap_bail("no mount namespace: %s", strerror(errno));
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount("none", dir, "tmpfs", 0, "size=4m"))
		tap_bail("can't mount a tmpfs: %s", strerror(errno));
}

static void test_full_disk(struct page_coder *c)
{
	struct store *s = open_store("cold", TIMEOUT_NS);
	struct store_stats st;
	char ballast[64];
	int fd, rc;

	memset(numbers, 0, sizeof(numbers));
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, 5 * MIB / 2))
		tap_bail("no ballast");
	close(fd);
	is_int(put_from(s, c, 0), -ENOSPC, "the disk is full");
	is_int(put_from(s, c, 0), -ENOSPC, "and again");
	st = store_stats_of(s);
	ok(st.nr_no_space == 2 && st.nr_write_errors == 2 && st.nr_demoted &&
	   st.device_state == DEVICE_FAILED, "counted, after some were written");
	is_int(st.nr_full, 0, "the store itself is not full");
	ok(strstr(st.last_error, "No space left"), "last_error: %s",
	   st.last_error);
	is_int(await_lines("cannot write"), 1, "one line says so");
	is_int(check_all(s, c, 0, numbers, NR), 0, "what was put is there");
	unlink(ballast);
	rc = put_from(s, c, 0);
	is_int(rc, 0, "there is room again: the others are put, too");
	is_int(check_all(s, c, 0, numbers, NR), 0, "and are there");
	is_int(store_stats_of(s).device_state, DEVICE_OK, "the device is well");
	is_int(await_lines("again"), 1, "one line says so");
	store_free(s);
	forget_lines();
}

/* As large as it may become, and the disk has room. */
static void test_full_file(struct page_coder *c)
{
	struct store *s = open_store_of(4 * MIB, "small", TIMEOUT_NS);
	uint64_t nr_refused = 0;
	struct store_stats st;

	memset(numbers, 0, sizeof(numbers));
	for (uint64_t k = 0; k < NR; k++)
		nr_refused += put_number(s, c, numbers, k, k + 1) == -ENOSPC;
	st = store_stats_of(s);
	ok(nr_refused && st.nr_demoted, "memory and the file are full: no room "
	   "for %llu pages", (unsigned long long)nr_refused);
	is_int(st.nr_full, nr_refused, "each is counted");
	ok(!st.nr_write_errors && st.device_state == DEVICE_OK,
	   "the device has done nothing wrong");
	is_int(st.nr_puts, NR - nr_refused, "the others are put");
	is_int(check_all(s, c, 0, numbers, NR), 0, "and are there");
	store_free(s);
}

/* The third segment is cut in its middle, as a full quota does. */
static void test_short_write(struct page_coder *c)
{
	struct store *s = open_store("cold", TIMEOUT_NS);
	struct rlimit old, limit;
	struct store_stats st;

	memset(numbers, 0, sizeof(numbers));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 5 * MIB / 2;
	setrlimit(RLIMIT_FSIZE, &limit);
	is_int(put_from(s, c, 0), -EFBIG, "a write that is cut short");
	setrlimit(RLIMIT_FSIZE, &old);
	st = store_stats_of(s);
	ok(st.nr_write_errors == 1 && strstr(st.last_error, "File too large"),
	   "counted, last_error: %s", st.last_error);
	is_int(await_lines("cannot write"), 1, "one line says so");
	ok(st.nr_demoted > 400 && st.nr_demoted < 520,
	   "the two segments before went there");
	is_int(check_all(s, c, 0, numbers, NR), 0, "what was put is there");
	is_int(put_from(s, c, 0), 0, "it may grow: the others are put, too");
	is_int(check_all(s, c, 0, numbers, NR), 0, "and are there");
	store_free(s);
	forget_lines();
}

/* The file has no name any more; it is found among our descriptors. */
static int open_unlinked(const char *name)
{
	DIR *d = opendir("/proc/self/fd");
	char link[320], to[128];
	int fd = -1;

	for (struct dirent *e; d && fd < 0 && (e = readdir(d));) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%s", e->d_name);
		n = readlink(link, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = 0;
		if (strstr(to, name) && strstr(to, "(deleted)"))
			fd = open(link, O_RDWR);
	}
	closedir(d);
	return fd;
}

static void test_wrong_data(struct page_coder *c)
{
	struct store *s = open_store("lies", TIMEOUT_NS);
	struct store_stats st;
	uint8_t byte, page[STORE_PAGE_SIZE];
	int fd, nr_damaged = 0, nr_right = 0;

	memset(numbers, 0, sizeof(numbers));
	is_int(put_from(s, c, 0), 0, "all pages are put");
	fd = open_unlinked("/lies");
	/* In the first page's data, behind its header. */
	if (fd < 0 || pread(fd, &byte, 1, 1000) != 1)
		tap_bail("can't find the file");
	byte ^= 0x10;
	if (pwrite(fd, &byte, 1, 1000) != 1)
		tap_bail("can't damage the file");
	for (uint64_t k = 0; k < NR; k++) {
		int rc = check_number(s, c, k, numbers[k]);

		nr_damaged += rc == -EBADMSG;
		nr_right += !rc;
	}
	ok(nr_damaged == 1 && nr_right == NR - 1,
	   "one bit is wrong: one page is damaged, the others are right");
	st = store_stats_of(s);
	ok(st.nr_damaged == 1 && strstr(st.last_error, "wrong data"),
	   "counted, last_error: %s", st.last_error);
	is_int(await_lines("wrong data"), 1, "one line says so");
	if (ftruncate(fd, 0))
		tap_bail("can't cut the file");
	is_int(store_get(s, c, 1, page), -ENODATA,
	       "the file is cut: an error, and none of data");
	close(fd);
	store_free(s);
	forget_lines();
}

/* Freezes or thaws the file system that fd is on. */
static void freeze(int fd, bool on)
{
	if (ioctl(fd, on ? FIFREEZE : FITHAW, 0))
		tap_bail("can't freeze: %s", strerror(errno));
}

static bool mount_loop(const char *image, const char *at)
{
	const char *const mkfs[] = { "/sbin/mkfs.ext4", "-q", "-F", image,
				     NULL };
	const char *const mnt[] = { "mount", "-o", "loop", image, at, NULL };
	int fd = open(image, O_CREAT | O_WRONLY, 0600);

	if (fd < 0 || ftruncate(fd, 96 * MIB))
		tap_bail("no image");
	close(fd);
	if (access("/dev/loop-control", W_OK))
		return false;
	run(mkfs);
	mkdir(at, 0700);
	run(mnt);
	return true;
}

/* Nothing is late any more, and that was said.  A hang is ended by alarm(). */
static void await_well(struct store *s)
{
	while (store_stats_of(s).device_state != DEVICE_OK ||
	       count_lines("answers again") < count_lines("has not answered"))
		usleep(10000);
}

/* A write() into a file system that is frozen ends when that is thawed. */
static void test_frozen(struct page_coder *c)
{
	char image[] = "/tmp/vmm-store-image-XXXXXX", at[64];
	struct store *s;
	uint64_t from, nr_late;
	int fd = mkstemp(image);
	struct store_stats st;

	close(fd);
	snprintf(at, sizeof(at), "%s/loop", dir);
	if (!mount_loop(image, at)) {
		if (geteuid())
			tap_skip("a file system that stands still",
				 "only root may mount by a loop device");
		else
			ok(false, "a file system that stands still: no "
			   "/dev/loop-control: modprobe loop");
		unlink(image);
		return;
	}
	unlink(image);
	memset(numbers, 0, sizeof(numbers));
	s = open_store("loop/cold", NSEC_PER_SEC);
	for (uint64_t k = 0; k < NR / 2; k++)
		while (put_number(s, c, numbers, k, k + 1))
			usleep(10000);
	/* A busy disk may have been late as well. */
	await_well(s);
	forget_lines();
	nr_late = store_stats_of(s).nr_late_writes;
	fd = open(at, O_RDONLY);
	freeze(fd, true);
	is_int(put_from(s, c, 0), -ETIMEDOUT,
	       "the file system stands still: a timeout");
	is_int(await_lines("has not answered a write"), 1, "one line says so");
	st = store_stats_of(s);
	ok(st.device_state == DEVICE_STALLED &&
	   st.nr_late_writes == nr_late + 1,
	   "counted, last_error: %s", st.last_error);
	from = clock_now_ns();
	for (int i = 0; i < 200; i++)
		if (put_from(s, c, 0) != -ETIMEDOUT)
			from = 0;
	ok(clock_now_ns() - from < 100 * NSEC_PER_SEC,
	   "the next are refused at once");
	is_int(check_all(s, c, 0, numbers, NR), 0,
	       "what was put can be had, from the disk, too");
	freeze(fd, false);
	for (int i = 0; i < 6000 && put_from(s, c, 0); i++)
		usleep(10000);
	is_int(check_all(s, c, 0, numbers, NR), 0, "it goes on: all is there");
	ok(numbers[NR - 1] && await_lines("answers again") == 1 &&
	   store_stats_of(s).device_state == DEVICE_OK, "and it is well");

	freeze(fd, true);
	memset(numbers, 0, sizeof(numbers));
	put_from(s, c, 0);
	from = clock_now_ns();
	store_free(s);
	ok(clock_now_ns() - from < 30 * NSEC_PER_SEC,
	   "the store ends though a write hangs");
	freeze(fd, false);
	close(fd);
	forget_lines();
}

int main(void)
{
	struct page_coder *c;

	alarm(1200);
	catch_stderr();
	if (!mkdtemp(dir))
		tap_bail("no directory");
	enter_namespace();
	c = new_page_coder(PAGE_RAW);
	test_full_disk(c);
	test_full_file(c);
	test_short_write(c);
	test_wrong_data(c);
	test_frozen(c);
	page_coder_free(c);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return tap_done();
}
