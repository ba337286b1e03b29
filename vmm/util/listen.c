// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/listen.h"

/*
 * For clients that connect while others are served, or while a busy host delays
 * the accepting thread: if the backlog is full, a non-blocking connect fails at
 * once, such as curl's.
 */
#define BACKLOG SOMAXCONN

/* How long to wait for another vmm that is about to listen. */
#define LOCK_MS	  5000
#define RETRY_MS  5

/*
 * Locks the directory of path, against another vmm that checks, removes or
 * makes a socket there at the same time: without it both find the same stale
 * socket, and the second removes the socket that the first has just made.
 * Returns the descriptor to close, or -1: if it can't be locked, the caller
 * continues without.
 */
static int lock_directory(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	const char *slash = strrchr(path, '/');
	int fd;

	snprintf(dir, sizeof(dir), "%.*s",
		 slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK &&
	     ms < LOCK_MS; ms += RETRY_MS)
		usleep(RETRY_MS * 1000);
	return fd;
}

/*
 * A stale socket file of a killed vmm may be removed; nothing else may, such as
 * a socket of another type, or one that we may not connect to.
 */
static int clear_stale(const struct sockaddr_un *sun, const char *option,
		       char *why, size_t len)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, len, "%s exists and is not a socket; choose "
			 "another path with %s", sun->sun_path, option);
		return -EEXIST;
	}
	/* Non-blocking: with a full backlog the socket is in use too. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		rc = -errno;
		snprintf(why, len, "cannot check whether %s is in use: %s",
			 sun->sun_path,
			 error_text(-rc));
		return rc;
	}
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? -errno :
								       0;
	close(fd);
	if (rc == -ECONNREFUSED || rc == -ENOENT) {
		unlink(sun->sun_path);
		return 0;
	}
	snprintf(why, len, "%s is in use by another process; choose another "
		 "path with %s", sun->sun_path, option);
	return -EADDRINUSE;
}

int unix_listen(const char *path, const char *option, char *why, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	__cleanup_close int fd = -1, lock = -1;
	bool bound;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(why, len, "the socket path %s is longer than %zu "
			 "bytes; choose a shorter one with %s", path,
			 sizeof(sun.sun_path) - 1, option);
		return -ENAMETOOLONG;
	}
	strcpy(sun.sun_path, path);
	lock = lock_directory(path);
	rc = clear_stale(&sun, option, why, len);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/*
	 * Nobody can connect between bind and listen, so the mode is set in
	 * time.
	 */
	bound = fd >= 0 && !bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	if (!bound || chmod(path, 0600) || listen(fd, BACKLOG)) {
		rc = -errno;
		if (bound)
			unlink(path);
		if (error_is_fd_limit(-rc))
			snprintf(why, len, "cannot listen on %s: %s", path,
				 error_text(-rc));
		else
			snprintf(why, len, "cannot listen on %s: %s; choose "
				 "another path with %s", path, error_text(-rc),
				 option);
		return rc;
	}
	rc = fd;
	fd = -1;
	return rc;
}
