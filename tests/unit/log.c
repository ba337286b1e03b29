// SPDX-License-Identifier: GPL-2.0-or-later
/* The prefix of a message, depending on the type of stderr. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/util/log.h"

static char text[1024];
static int real_stderr;

/* One message of each level through fd; they are in text then. */
static void say_all(int fd, int read_fd, bool is_file)
{
	ssize_t n;

	dup2(fd, STDERR_FILENO);
	log_set_level(LOG_LEVEL_DEBUG);
	errno = ENOTTY;
	log_error("one");
	ok(errno == ENOTTY, "errno is kept");
	log_warn("two");
	log_info("three");
	log_debug("four");
	dup2(real_stderr, STDERR_FILENO);
	n = is_file ? pread(read_fd, text, sizeof(text) - 1, 0) :
		      read(read_fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
}

/* fd is what systemd says the journal is, if inode is as it should be. */
static void set_journal(int fd, int inode_off)
{
	char value[64];
	struct stat st;

	if (fstat(fd, &st))
		tap_bail("no stat");
	snprintf(value, sizeof(value), "%llu:%llu",
		 (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + inode_off);
	setenv("JOURNAL_STREAM", value, 1);
}

#define PLAIN "vmm: error: one\nvmm: warning: two\nvmm: three\nvmm: debug: four\n"
#define GRAVE "<3>vmm: error: one\n<4>vmm: warning: two\n<6>vmm: three\n" \
	      "<7>vmm: debug: four\n"

static void test_pipe(void)
{
	int fds[2];

	if (pipe(fds))
		tap_bail("no pipe");
	unsetenv("JOURNAL_STREAM");
	say_all(fds[1], fds[0], false);
	ok(!strcmp(text, PLAIN), "a pipe: nothing");
	set_journal(fds[1], 0);
	say_all(fds[1], fds[0], false);
	ok(!strcmp(text, GRAVE), "the journal: levels");
	set_journal(fds[1], 1);
	say_all(fds[1], fds[0], false);
	ok(!strcmp(text, PLAIN), "another's journal: nothing");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	say_all(fds[1], fds[0], false);
	ok(!strcmp(text, PLAIN), "nonsense: nothing");
	close(fds[0]);
	close(fds[1]);
}

static void test_terminal(void)
{
	int pt = posix_openpt(O_RDWR | O_NOCTTY), tty;
	ssize_t n;

	if (pt < 0 || grantpt(pt) || unlockpt(pt))
		tap_bail("no terminal");
	tty = open(ptsname(pt), O_RDWR | O_NOCTTY);
	if (tty < 0)
		tap_bail("no terminal");
	unsetenv("JOURNAL_STREAM");
	dup2(tty, STDERR_FILENO);
	log_error("one");
	dup2(real_stderr, STDERR_FILENO);
	n = read(pt, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	ok(!strcmp(text, "vmm: error: one\r\n"), "a terminal: nothing");
	close(tty);
	close(pt);
}

/* As a pattern: 0 for any digit, + for a sign. */
static bool is_like(const char *s, const char *pattern)
{
	for (; *pattern; s++, pattern++)
		if (*pattern == '0' ? *s < '0' || *s > '9' :
		    *pattern == '+' ? *s != '+' && *s != '-' : *s != *pattern)
			return false;
	return true;
}

static void test_file(void)
{
	static const char pattern[] = "0000-00-00T00:00:00.000+0000 ";
	static const char *const rest[] = {
		"vmm: error: one", "vmm: warning: two", "vmm: three",
		"vmm: debug: four",
	};
	FILE *f = tmpfile();
	unsigned int nr = 0;
	char *save;

	if (!f)
		tap_bail("no file");
	fcntl(fileno(f), F_SETFL, O_APPEND);
	unsetenv("JOURNAL_STREAM");
	say_all(fileno(f), fileno(f), true);
	for (char *line = strtok_r(text, "\n", &save); line && nr < 4;
	     line = strtok_r(NULL, "\n", &save))
		ok(is_like(line, pattern) &&
		   !strcmp(line + strlen(pattern), rest[nr++]), "%s", line);
	is_int(nr, 4, "a file: the time");
	if (ftruncate(fileno(f), 0))
		tap_bail("no file");
	set_journal(fileno(f), 0);
	say_all(fileno(f), fileno(f), true);
	ok(!strcmp(text, GRAVE), "what the journal is goes first");
	fclose(f);
}

int main(void)
{
	real_stderr = dup(STDERR_FILENO);
	if (real_stderr < 0)
		tap_bail("no stderr");
	test_pipe();
	test_terminal();
	test_file();
	return tap_done();
}
