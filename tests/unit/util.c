// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/util/histogram.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/log.h"
#include "vmm/util/printable.h"
#include "vmm/util/size.h"

static void test_size(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} t[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "1k", 0, 1024 },
		{ "512M", 0, UINT64_C(512) << 20 },
		{ "2G", 0, UINT64_C(2) << 30 },
		{ "2GiB", 0, UINT64_C(2) << 30 },
		{ "3GB", 0, UINT64_C(3) << 30 },
		{ "7b", 0, 7 },
		{ "1T", 0, UINT64_C(1) << 40 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1X", -EINVAL, 0 },
		{ "1iB", -EINVAL, 0 },
		{ "1Gx", -EINVAL, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "18446744073709551615K", -ERANGE, 0 },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t b = 77;
		int rc = size_parse(t[i].text, &b);

		ok(rc == t[i].rc && b == (rc ? 77 : t[i].bytes),
		   "size_parse(\"%s\")", t[i].text);
	}
	ok(!strcmp(size_format(1536 << 20, buf, sizeof(buf)), "1.5 GiB"),
	   "size_format 1.5 GiB");
	ok(!strcmp(size_format(512, buf, sizeof(buf)), "512 B"),
	   "size_format 512 B");
}

/* Every range of a 200-bit map against a loop over single bits. */
static void test_bitmap(void)
{
	uint64_t map[4];
	bool same = true;

	for (unsigned int s = 0; s <= 200; s++) {
		for (unsigned int e = s; e <= 200; e++) {
			unsigned int n = 0;

			memset(map, 0, sizeof(map));
			bitmap_set_range(map, s, e);
			for (unsigned int i = 0; i < 256; i++) {
				same &= bitmap_test(map, i) ==
					(i >= s && i < e);
				n += bitmap_test(map, i);
			}
			same &= n == bitmap_count(map, 0, 256);
			same &= bitmap_next(map, 0, 200) == (s < e ? s : 200);
			same &= bitmap_next_zero(map, s, 201) == e;
			bitmap_clear_range(map, s, e);
			same &= bitmap_count(map, 0, 256) == 0;
		}
	}
	ok(same, "bitmap ranges equal single bits");
}

/* Every value is in a bucket whose middle is no more than a 16th away. */
static void test_histogram(void)
{
	uint64_t counts[HISTOGRAM_BUCKETS] = { 0 };
	unsigned int last = 0;
	bool near = true, rises = true;

	for (uint64_t v = 1; v < UINT64_C(1) << 33; v += 1 + v / 64) {
		unsigned int i = histogram_index(v);
		uint64_t m = histogram_value(i);

		rises &= i >= last;
		near &= (m > v ? m - v : v - m) * 16 <= v;
		last = i;
	}
	ok(near && rises, "a bucket is near its values");
	is_int(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1,
	       "the last one has the rest");
	is_int(histogram_quantile(counts, 50), 0, "of nothing: 0");
	for (uint64_t v = 1; v <= 1000; v++)
		counts[histogram_index(v * 1000)]++;
	ok(llabs((long long)histogram_quantile(counts, 50) - 500000) < 40000 &&
	   llabs((long long)histogram_quantile(counts, 99) - 990000) < 70000,
	   "the median and the 99th");
	counts[histogram_index(UINT64_MAX)] += 1000000;
	ok(histogram_quantile(counts, 99) > UINT64_C(1) << 33,
	   "what is beyond counts as well");
}

/* A log that is not read; alarm() ends the test if it blocks. */
static void test_full_log(void)
{
	int fds[2], keep = dup(STDERR_FILENO);
	char page[4096] = { 0 };
	ssize_t before = 0, after = 0, n;

	if (keep < 0 || pipe2(fds, O_NONBLOCK))
		tap_bail("no pipe");
	while ((n = write(fds[1], page, sizeof(page))) > 0)
		before += n;
	fcntl(fds[1], F_SETFL, 0);
	dup2(fds[1], STDERR_FILENO);
	alarm(60);
	errno = ENOTTY;
	log_error("nobody reads this");
	ok(errno == ENOTTY, "a message into a full pipe returns");
	while (after < before && (n = read(fds[0], page, sizeof(page))) > 0)
		after += n;
	log_error("but this");
	n = read(fds[0], page, sizeof(page));
	alarm(0);
	dup2(keep, STDERR_FILENO);
	ok(after == before && n > 0 && !memcmp(page, "vmm: error: but this\n", n),
	   "and the next one is there for who reads again");
	close(keep);
	close(fds[0]);
	close(fds[1]);
}

/* Says it until it is read, as a terminal takes its time to have room again. */
static bool gets_through(int pt)
{
	static char all[1 << 18];
	struct pollfd p = { pt, POLLIN, 0 };
	size_t len = 0;
	ssize_t n;

	do {
		log_error("but this");
		while (len < sizeof(all) - 1 && poll(&p, 1, 100) == 1) {
			n = read(pt, all + len, sizeof(all) - 1 - len);
			if (n <= 0)
				break;
			len += n;
		}
	} while (!strstr(all, "but this") && len < sizeof(all) - 1);
	return strstr(all, "\nvmm: error: but this");
}

/* A terminal has room for a part of a line; write() would wait for the rest. */
static void test_full_terminal(void)
{
	int keep = dup(STDERR_FILENO), flags, tty, pt;

	pt = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (keep < 0 || pt < 0 || grantpt(pt) || unlockpt(pt))
		tap_bail("no terminal");
	tty = open(ptsname(pt), O_RDWR | O_NOCTTY);
	if (tty < 0)
		tap_bail("no terminal");
	flags = fcntl(tty, F_GETFL);
	dup2(tty, STDERR_FILENO);
	alarm(300);
	for (int i = 0; i < 40; i++)
		log_error("%0900d", i);
	ok(true, "messages to a full terminal return");
	is_int(fcntl(tty, F_GETFL), flags, "its flags are as they were");
	ok(gets_through(pt),
	   "the next one for who reads again begins a line");
	alarm(0);
	dup2(keep, STDERR_FILENO);
	close(keep);
	close(tty);
	close(pt);
}

/* A pipe that may not be opened again still gets a line by one write(). */
static void test_pipe_of_others(void)
{
	int fds[2], status = -1;
	char text[256] = "";
	pid_t pid;

	/* One read() has what one write() wrote. */
	if (pipe2(fds, O_DIRECT))
		tap_bail("no pipe");
	pid = fork();
	if (!pid) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(1);
		dup2(fds[1], STDERR_FILENO);
		log_error("whole");
		_exit(0);
	}
	close(fds[1]);
	ok(read(fds[0], text, sizeof(text) - 1) > 0 &&
	   !strcmp(text, "vmm: error: whole\n"),
	   "a message of another user is written at once");
	is_int(waitpid(pid, &status, 0), pid, "who ends");
	is_int(status, 0, "well");
	close(fds[0]);
}

static void test_printable(void)
{
	char text[] = "a\x1b[31m\n\x7f\xc2\x9bZ\xc3\xa4\xc2\xa0\xc2";
	int fds[2], keep = dup(STDERR_FILENO);
	char line[256] = "";

	if (keep < 0 || pipe2(fds, O_NONBLOCK))
		tap_bail("no pipe");
	dup2(fds[1], STDERR_FILENO);
	log_error("%s: \tend", text);
	dup2(keep, STDERR_FILENO);
	ok(read(fds[0], line, sizeof(line) - 1) > 0 &&
	   !strcmp(line, "vmm: error: a?[31m????Z\xc3\xa4\xc2\xa0\xc2: ?end\n"),
	   "control characters in a message do not reach a terminal");
	printable_make(text);
	ok(!strcmp(text, "a?[31m????Z\xc3\xa4\xc2\xa0\xc2"),
	   "nor do those of other text; what is no such stays");
	close(keep);
	close(fds[0]);
	close(fds[1]);
}

/* Each byte that is part of no character becomes a question mark. */
static void test_utf8(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain \x01\x7f", "plain \x01\x7f" },
		{ "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
		  "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		  "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "b\xfc", "b?" },
		{ "\x80\xbf", "??" },
		{ "\xc0\xaf\xc1\xbf", "????" },		/* overlong */
		{ "\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "???????" },
		{ "\xed\xa0\x80", "???" },		/* a surrogate */
		{ "\xf4\x90\x80\x80\xf8\xff", "??????" },
		{ "\xc3(", "?(" },			/* cut */
		{ "\xc3", "?" },
		{ "\xe2\x82", "??" },
		{ "\xf0\x9f\x98", "???" },
		{ "\xe2\x82\xc3\xa4", "??\xc3\xa4" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		__cleanup_free char *text = strdup(cases[i].text);
		__cleanup_free char *label = NULL;
		size_t len;
		FILE *f = open_memstream(&label, &len);

		if (!text || !f)
			tap_bail("no memory");
		printable_make_utf8(text);
		ok(!strcmp(text, cases[i].want), "only UTF-8 is left of text %zu",
		   i);
		printable_put_label(f, cases[i].text);
		fclose(f);
		ok(!strcmp(label, cases[i].want), "and of label %zu", i);
	}
}

int main(void)
{
	test_printable();
	test_utf8();
	test_histogram();
	test_size();
	test_bitmap();
	test_full_log();
	test_full_terminal();
	test_pipe_of_others();
	return tap_done();
}
