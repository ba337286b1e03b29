// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "vmm/util/fd-limit.h"
#include "vmm/util/log.h"

void fd_limit_raise(void)
{
	struct rlimit limit;
	rlim_t want = FD_LIMIT_MOST;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (want > limit.rlim_max)
		want = limit.rlim_max;
	if (limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_debug("cannot raise the limit of open files "
			  "(RLIMIT_NOFILE): %s", strerror(errno));
}

unsigned int fd_limit_for_guests(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur <= FD_LIMIT_RESERVED)
		return 0;
	if (limit.rlim_cur > FD_LIMIT_MOST)
		limit.rlim_cur = FD_LIMIT_MOST;
	return limit.rlim_cur - FD_LIMIT_RESERVED;
}

unsigned int fd_limit_left(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct rlimit limit;
	rlim_t nr = 0;

	while (d && readdir(d))
		nr++;
	if (d) {
		closedir(d);
		nr -= 3;	/* ".", "..", and the descriptor of d */
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > FD_LIMIT_MOST)
		limit.rlim_cur = FD_LIMIT_MOST;
	return limit.rlim_cur > nr ? limit.rlim_cur - nr : 0;
}
