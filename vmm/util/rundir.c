// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/util/rundir.h"
#include "vmm/util/unix-socket.h"

#define SUFFIX ".sock"

static int rundir(char *buf, size_t len)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(buf, len, "/run/vmm");
	else if (xdg && *xdg)
		n = snprintf(buf, len, "%s/vmm", xdg);
	else
		return -ENOENT;
	return n < (int)len ? 0 : -ENAMETOOLONG;
}

static int socket_path(const char *dir, const char *name, char *buf, size_t len)
{
	struct sockaddr_un sun;
	int n;

	if (!*name || *name == '.' || strchr(name, '/'))
		return -EINVAL;
	n = snprintf(buf, len, "%s/%s" SUFFIX, dir, name);
	if (n >= (int)len || n >= (int)sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	return 0;
}

int rundir_socket_path(const char *name, char *buf, size_t len)
{
	char dir[108];
	int rc = rundir(dir, sizeof(dir));

	if (rc)
		return rc;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	return socket_path(dir, name, buf, len);
}

/* False: a socket file without a listener, left behind by a killed VM. */
static bool is_alive(const char *path)
{
	int fd = unix_connect(path);

	if (fd >= 0)
		close(fd);
	/* -EAGAIN: there is a listener with a full backlog. */
	return fd >= 0 || fd == -EAGAIN;
}

static void each_in(const char *dir,
		    void (*fn)(const char *name, const char *path, void *arg),
		    void *arg)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct dirent *de;
	DIR *d = opendir(dir);

	while (d && (de = readdir(d))) {
		size_t n = strlen(de->d_name);

		if (n <= strlen(SUFFIX) ||
		    strcmp(de->d_name + n - strlen(SUFFIX), SUFFIX))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, de->d_name) >=
			    (int)sizeof(path) || !is_alive(path))
			continue;
		de->d_name[n - strlen(SUFFIX)] = 0;
		fn(de->d_name, path, arg);
	}
	if (d)
		closedir(d);
}

void rundir_each(void (*fn)(const char *name, const char *path, void *arg),
		 void *arg)
{
	char dir[108];

	if (!rundir(dir, sizeof(dir)))
		each_in(dir, fn, arg);
}

struct found {
	char *buf, names[256];
	size_t len;
	unsigned int nr;
};

static void note_found(const char *name, const char *path, void *arg)
{
	struct found *f = arg;
	size_t used = strlen(f->names);

	if (!f->nr++)
		snprintf(f->buf, f->len, "%s", path);
	snprintf(f->names + used, sizeof(f->names) - used, " %s", name);
}

/* Finds the only VM in dir; if there are several, why lists them. */
static int find_only(const char *dir, char *buf, size_t len, char *why,
		     size_t why_len)
{
	struct found f = { .buf = buf, .len = len };

	each_in(dir, note_found, &f);
	if (f.nr == 1)
		return 0;
	if (!f.nr) {
		snprintf(why, why_len, "no VM is running: %s has no socket "
			 "that answers; start a VM with `vmm run`, or name its "
			 "socket with --socket", dir);
		return -ENOENT;
	}
	snprintf(why, why_len, "%u VMs are running: name one of%s",
		 f.nr, f.names);
	return -EINVAL;
}

int rundir_find_socket(const char *name, char *buf, size_t len, char *why,
		       size_t why_len)
{
	char dir[108];
	int rc = rundir(dir, sizeof(dir));

	if (rc) {
		snprintf(why, why_len, "the directory of sockets is not known: "
			 "set XDG_RUNTIME_DIR, or name the socket with "
			 "--socket");
		return rc;
	}
	if (!name)
		return find_only(dir, buf, len, why, why_len);
	rc = socket_path(dir, name, buf, len);
	if (rc)
		snprintf(why, why_len, RUNDIR_BAD_NAME, name);
	return rc;
}
