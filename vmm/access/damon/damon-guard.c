// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A shell that reads from a socket of which we hold the other end.  A line
 * means an orderly exit.  End of file without a line means that we died,
 * perhaps inside a pass, or could not clean up; the shell then does the same
 * cleanup as an orderly exit (damon-owner.c), in the same order: once it has
 * the lock it turns off a kdamond of ours and, if no other vmm uses DAMON,
 * restores the previous configuration.
 */
#include "config.h"

#include "vmm/access/damon/damon-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/util/log.h"

extern char **environ;

static const char guard_script[] =
	/* Whoever ends us may signal all processes of a service. */
	"trap '' TERM INT HUP\n"
	"read -r bye && exit 0\n"
	"exec 9>>" DAMON_LOCK_PATH " && flock 9 || exit 1\n"
	"[ -e " DAMON_SAVE_PATH " ] && cd " DAMON_CTL_SYSFS " || exit 0\n"
	/* Each access may fail temporarily: see damon-sysfs.c. */
	"get() {\n"
	"	for i in $(seq 100); do\n"
	"		read -r value <\"$1\" && return\n"
	"		[ -e \"$1\" ] && sleep 0.01 || break\n"
	"	done\n"
	"	value=\n"
	"}\n"
	"put() {\n"
	"	for i in $(seq 100); do\n"
	"		echo \"$2\" >\"$1\" && return\n"
	"		[ -e \"$1\" ] && sleep 0.01 || break\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"running() {\n"
	"	for state in */state; do\n"
	"		get \"$state\"\n"
	"		[ \"$value\" = on ] && return\n"
	"	done\n"
	"	return 1\n"
	"}\n"
	"get " DAMON_MARK_PATH "\n"
	"mark=$value\n"
	"if [ \"$mark\" = " DAMON_MARK " ] && running; then\n"
	"	put 0/state off || exit 1\n"
	"fi\n"
	"exec 8>>" DAMON_USERS_PATH " && flock -n 8 || exit 0\n"
	"if running; then\n"
	"	:\n"	/* another program's, and newer */
	"elif [ \"$mark\" = " DAMON_MARK " ] || [ ! -s " DAMON_LOCK_PATH " ]; then\n"
	"	put nr_kdamonds 0 || exit 1\n"
	"	tab=$(printf '\\t')\n"
	"	while IFS=$tab read -r path value; do\n"
	"		put \"$path\" \"$value\"\n"
	"	done <" DAMON_SAVE_PATH "\n"
	"fi\n"
	"rm -f " DAMON_SAVE_PATH "\n"
	": >" DAMON_LOCK_PATH "\n";

int damon_guard_start(struct damon_guard *guard)
{
	char *argv[] = { "sh", "-c", (char *)guard_script, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int pair[2], err;

	/* A socket, since writing to a pipe without a reader raises SIGPIPE. */
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
	/* This fails if the watchdog has died already, which is harmless. */
	if (send(guard->fd, "bye\n", 4, MSG_NOSIGNAL) < 0)
		log_debug("damon: the watchdog process has ended");
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void damon_guard_leave(struct damon_guard *guard)
{
	if (guard->pid)
		close(guard->fd);
}
