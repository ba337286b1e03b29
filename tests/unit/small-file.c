// SPDX-License-Identifier: GPL-2.0-or-later
/* Small files: like those of /proc, empty, truncated, and missing. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/util/small-file.h"

static char path[] = "/tmp/vmm-small-file-XXXXXX";

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		tap_bail("no file");
}

static void test_read(void)
{
	char buf[8], proc[1 << 16];
	int dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	put("abc\nde");
	is_int(small_file_read(path, buf, sizeof(buf)), 6, "its length");
	ok(!strcmp(buf, "abc\nde"), "all of it");
	is_int(small_file_read(path, buf, 5), 4, "what fits");
	ok(!strcmp(buf, "abc\n"), "is what it begins with");
	is_int(small_file_read_at(dir, path + strlen("/tmp/"), buf,
				  sizeof(buf)), 6, "below a directory");
	put("");
	is_int(small_file_read(path, buf, sizeof(buf)), 0, "an empty one");
	ok(!*buf, "has no text");
	is_int(small_file_read("/nonexistent", buf, sizeof(buf)), -ENOENT,
	       "one that is not there");
	is_int(small_file_read("/tmp", buf, sizeof(buf)), -EISDIR,
	       "a directory");
	ok(small_file_read("/proc/self/smaps", proc, sizeof(proc)) > 4096,
	   "one that comes in pieces");
	close(dir);
}

static void test_line(void)
{
	char buf[8];

	put("abc\nde");
	ok(!small_file_line(path, buf, sizeof(buf)) && !strcmp(buf, "abc"),
	   "the first line");
	ok(!small_file_line(path, buf, 3) && !strcmp(buf, "ab"),
	   "as much of it as fits");
	put("de");
	ok(!small_file_line(path, buf, sizeof(buf)) && !strcmp(buf, "de"),
	   "one without an end");
	put("\nde");
	ok(!small_file_line(path, buf, sizeof(buf)) && !*buf, "an empty line");
	put("");
	is_int(small_file_line(path, buf, sizeof(buf)), -ENODATA, "no line");
	is_int(small_file_line("/nonexistent", buf, sizeof(buf)), -ENOENT,
	       "no file");
}

static void test_number(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t n;
	} t[] = {
		{ "0\n", 0, 0 }, { "18446744073709551615", 0, UINT64_MAX },
		{ "12 34\n", 0, 12 }, { "0x1f\n", 0, 31 },
		{ "max\n", -EINVAL, 77 }, { "\n", -EINVAL, 77 },
		{ "", -ENODATA, 77 }, { "99999999999999999999", -ERANGE, 77 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		uint64_t n = 77;
		int rc;

		put(t[i].text);
		rc = small_file_number(path, &n);
		ok(rc == t[i].rc && n == t[i].n, "number %zu: %d, %llu", i, rc,
		   (unsigned long long)n);
	}
}

static void test_field(void)
{
	uint64_t bytes = 77;
	char buf[16];

	put("SwapTotal:  8 kB\nSwap: none\nSwapFree:\t 12 kB\nSwapFree: 1 kB\n"
	    "Long: 0123456789abcdefgh\nEmpty:\n");
	ok(!small_file_field(path, "SwapFree:", buf, sizeof(buf)) &&
	   !strcmp(buf, "12 kB"), "a field, the first one of its name");
	ok(!small_file_field(path, "Empty:", buf, sizeof(buf)) && !*buf,
	   "an empty one");
	ok(!small_file_field(path, "Long:", buf, sizeof(buf)) &&
	   !strcmp(buf, "0123456789abcde"), "what fits of a long one");
	is_int(small_file_field(path, "Free:", buf, sizeof(buf)), -ENOENT,
	       "a line has its name at the beginning");
	ok(!small_file_field_kib(path, "SwapFree:", &bytes) &&
	   bytes == 12 << 10, "in bytes");
	bytes = 77;
	is_int(small_file_field_kib(path, "Swap:", &bytes), -EINVAL,
	       "one that is no size");
	is_int(small_file_field_kib("/nonexistent", "Swap:", &bytes), -ENOENT,
	       "no file");
	is_int(bytes, 77, "leaves the result alone");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		tap_bail("no file");
	close(fd);
	test_read();
	test_line();
	test_number();
	test_field();
	unlink(path);
	return tap_done();
}
