/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts the lines that this process writes to stderr. */
#ifndef TESTS_UNIT_STDERR_LINES_H
#define TESTS_UNIT_STDERR_LINES_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/tap.h"

/* From here on stderr goes to a file that is read by count_lines(). */
static void catch_stderr(void)
{
	FILE *f = tmpfile();

	if (!f || dup2(fileno(f), STDERR_FILENO) < 0)
		tap_bail("can't catch stderr");
	fclose(f);
	fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
}

/* Lines so far that have text in them, since forget_lines(). */
static unsigned int count_lines(const char *text)
{
	static char all[1 << 20];
	ssize_t n = pread(STDERR_FILENO, all, sizeof(all) - 1, 0);
	unsigned int nr = 0;

	all[n > 0 ? n : 0] = 0;
	for (char *save, *line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		nr += strstr(line, text) != NULL;
	return nr;
}

/* As above, when there is one at least: it comes from another thread. */
__attribute__((unused)) static unsigned int await_lines(const char *text)
{
	for (int i = 0; i < 6000 && !count_lines(text); i++)
		usleep(10000);
	return count_lines(text);
}

/* They are shown as remarks, for readers of the test's log. */
static void forget_lines(void)
{
	static char all[1 << 16];
	ssize_t n = pread(STDERR_FILENO, all, sizeof(all) - 1, 0);

	all[n > 0 ? n : 0] = 0;
	for (char *save, *line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		printf("# said: %s\n", line);
	if (ftruncate(STDERR_FILENO, 0))
		tap_bail("can't empty stderr");
}

#endif
