// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command and measures the time until a word appears in its output.
 *
 * usage: until [--counter FILE] SECONDS WORD COMMAND [ARG...]
 *
 * Prints the seconds from just before the fork until WORD came out of the
 * command's stdout, then stops the command (SIGTERM, after 5 s SIGKILL).  With
 * --counter it prints as well the number in FILE at that time, such as one of
 * KVM's in debugfs, which counts for VMs that exist.
 * stderr passes through.  Exit status: 0; 1 when the command ended without the
 * word; 124 when the seconds passed first.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define NS_PER_S UINT64_C(1000000000)

/* Bytes kept between reads, so that a word cut in two is found. */
static char text[65536];

static pid_t start(char **argv, int *fd)
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		setpgid(0, 0);
		execvp(argv[0], argv);
		fprintf(stderr, "until: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(pipes[1]);
	*fd = pipes[0];
	return pid;
}

static void stop(pid_t pid)
{
	uint64_t limit = bench_now_ns() + 5 * NS_PER_S;

	kill(-pid, SIGTERM);
	while (bench_now_ns() < limit) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		usleep(10000);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The number in a file, or -1. */
static long long read_counter(const char *path)
{
	FILE *f = fopen(path, "r");
	long long n;

	if (!f)
		return -1;
	if (fscanf(f, "%lld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

/* 0 with *at when the word was there, else the exit status. */
static int watch(int fd, const char *word, uint64_t limit, uint64_t *at)
{
	size_t keep = strlen(word), len = 0;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t nr;

	for (;;) {
		uint64_t now = bench_now_ns();

		if (now >= limit)
			return 124;
		if (poll(&pfd, 1, (int)((limit - now) / 1000000 + 1)) <= 0)
			continue;
		nr = read(fd, text + len, sizeof(text) - len);
		if (nr <= 0)
			return 1;
		*at = bench_now_ns();
		len += (size_t)nr;
		if (memmem(text, len, word, keep))
			return 0;
		if (len > keep) {
			memmove(text, text + len - keep, keep);
			len = keep;
		}
	}
}

int main(int argc, char **argv)
{
	const char *counter = NULL;
	uint64_t begin, at = 0;
	long long counted = 0;
	double seconds;
	int fd, status;
	pid_t pid;

	if (argc > 2 && !strcmp(argv[1], "--counter")) {
		counter = argv[2];
		argc -= 2;
		argv += 2;
	}
	seconds = argc > 3 ? atof(argv[1]) : 0;
	if (seconds <= 0 || !*argv[2] || strlen(argv[2]) > 1024) {
		fprintf(stderr, "usage: until [--counter FILE] SECONDS WORD "
			"COMMAND [ARG...]\n");
		return 2;
	}
	begin = bench_now_ns();
	pid = start(argv + 3, &fd);
	if (pid < 0) {
		fprintf(stderr, "until: %s\n", strerror(errno));
		return 2;
	}
	status = watch(fd, argv[2], begin + (uint64_t)(seconds * NS_PER_S),
		       &at);
	if (counter)
		counted = read_counter(counter);
	stop(pid);
	close(fd);
	if (counted < 0) {
		fprintf(stderr, "until: %s has no number\n", counter);
		return 2;
	}
	if (!status && counter)
		printf("%.6f %lld\n", (double)(at - begin) / NS_PER_S, counted);
	else if (!status)
		printf("%.6f\n", (double)(at - begin) / NS_PER_S);
	return status;
}
