// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/host/listen.h"
#include "vmm/util/cleanup.h"

/*
 * Of those that connect while others are answered, or while a busy host has no
 * time for who accepts them: where it is full, connecting fails at once for those
 * who don't wait, as curl.
 */
#define BACKLOG SOMAXCONN

/* A socket file that a killed vmm left behind may go; nothing else may. */
static int clear_stale(const struct sockaddr_un *sun, const char *option, char *why, size_t len)
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
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	close(fd);
	if (!rc) {
		snprintf(why, len, "%s is in use by another process; choose another "
			 "path with %s", sun->sun_path, option);
		return -EADDRINUSE;
	}
	unlink(sun->sun_path);
	return 0;
}

int unix_listen(const char *path, const char *option, char *why, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	__cleanup_close int fd = -1;
	int rc;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(why, len, "the socket path %s is longer than %zu "
			 "bytes; choose a shorter one with %s", path,
			 sizeof(sun.sun_path) - 1, option);
		return -ENAMETOOLONG;
	}
	strcpy(sun.sun_path, path);
	rc = clear_stale(&sun, option, why, len);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Between bind and listen nobody can connect: the mode is in time. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
	    chmod(path, 0600) || listen(fd, BACKLOG)) {
		rc = -errno;
		snprintf(why, len, "can't listen on %s: %s; choose another path "
			 "with %s", path, strerror(-rc), option);
		return rc;
	}
	rc = fd;
	fd = -1;
	return rc;
}
