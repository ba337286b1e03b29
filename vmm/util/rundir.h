/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the sockets of running VMs are: /run/vmm/NAME.sock for root, else
 * $XDG_RUNTIME_DIR/vmm/NAME.sock.
 */
#ifndef VMM_UTIL_RUNDIR_H
#define VMM_UTIL_RUNDIR_H

#include <stddef.h>

/* A printf format for a name that rundir_socket_path() refuses. */
#define RUNDIR_BAD_NAME							       \
	"'%.120s' is not a valid name of a VM: it must not be empty, begin "   \
	"with '.', contain '/', or make the path of its socket longer than "   \
	"107 characters"

/*
 * Writes the socket path of the VM called name to buf and makes the directory
 * (mode 0700) if it is missing.  -EINVAL: the name is empty, begins with '.' or
 * contains '/'; -ENOENT: no XDG_RUNTIME_DIR; -ENAMETOOLONG; or mkdir()'s error.
 */
int rundir_socket_path(const char *name, char *buf, size_t len);

/*
 * The socket a command talks to: of the VM called name, or, with name NULL, of
 * the only VM that runs.  0 or -errno with why: there is none, or the names to
 * choose from.
 */
int rundir_find_socket(const char *name, char *buf, size_t len, char *why,
		       size_t why_len);

/*
 * Calls fn for each VM that listens on a socket in that directory, in no
 * particular order.
 */
void rundir_each(void (*fn)(const char *name, const char *path, void *arg),
		 void *arg);

#endif
