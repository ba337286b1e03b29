// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A shell that reads from a socket of which we hold the other end.  A line means
 * that we ended well.  Without one we died, perhaps inside a pass: a kdamond
 * that runs while nobody holds the lock is ours then, and it would walk on.
 */
#include "config.h"

#include "vmm/access/damon_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/access/damon_sysfs.h"
#include "vmm/util/log.h"

extern char **environ;

static const char guard_script[] =
	"read -r bye && exit 0\n"
	"exec 9>>" DAMON_LOCK_PATH " && flock 9 || exit 1\n"
	"[ -e " DAMON_SAVE_PATH " ] || exit 0\n"
	"cd " DAMON_CTL_SYSFS "/0 || exit 0\n"
	/* Both may be refused for a moment: see damon_sysfs.c. */
	"for i in $(seq 200); do\n"
	"	read -r state <state && [ \"$state\" = off ] && exit 0\n"
	"	echo off >state || sleep 0.01\n"
	"done\n";

int damon_guard_start(struct damon_guard *guard)
{
	char *argv[] = { "sh", "-c", (char *)guard_script, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int pair[2], err;

	/* A socket, since writing to a pipe nobody reads raises a signal. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[0], 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	/* Its own session: Ctrl-C on our terminal must not end it. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
	err = posix_spawn(&guard->pid, "/bin/sh", &actions, &attr, argv,
			  environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[0]);
	if (err) {
		close(pair[1]);
		guard->pid = 0;
		return -err;
	}
	guard->fd = pair[1];
	return 0;
}

void damon_guard_stop(struct damon_guard *guard)
{
	if (!guard->pid)
		return;
	/* A watchdog that died already makes this fail: nothing is lost. */
	if (send(guard->fd, "bye\n", 4, MSG_NOSIGNAL) < 0)
		log_debug("damon: the watchdog is gone");
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
