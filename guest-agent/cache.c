// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drops clean page cache at the host's request.  The kernel knows which pages
 * are cold, so if possible it is made to reclaim a given amount, by
 *
 *   memory.reclaim of control groups (Linux 5.19), without swapping: each
 *   top-level group in proportion to its page cache
 *
 * Otherwise /proc/sys/vm/drop_caches is used, which drops everything that is
 * clean and unmapped, hot or cold; but only if the host requests at least half
 * of that.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define GROUPS	    "/sys/fs/cgroup/*/memory.reclaim"
#define DROP_CACHES "/proc/sys/vm/drop_caches"
#define PAGE_BYTES  4096

uint64_t cache_clean_bytes(const char *meminfo)
{
	uint64_t all = proc_bytes(meminfo, "\nCached:") +
		       proc_bytes(meminfo, "\nBuffers:");
	/*
	 * Unevictable: pages of ramfs, such as an initramfs, can't be dropped.
	 * It includes mlocked pages, which "Mapped" includes too.
	 */
	uint64_t stays = proc_bytes(meminfo, "\nUnevictable:");
	uint64_t locked = proc_bytes(meminfo, "\nMlocked:");
	/*
	 * Shmem is part of Cached.  Mapped shmem is subtracted twice, so the
	 * result may be too low.
	 */
	uint64_t undroppable = proc_bytes(meminfo, "\nShmem:") +
		       proc_bytes(meminfo, "\nMapped:") +
		       proc_bytes(meminfo, "\nDirty:") +
		       proc_bytes(meminfo, "\nWriteback:");

	if (stays > locked)
		undroppable += stays - locked;
	return all > undroppable ? all - undroppable : 0;
}

bool cache_can_drop(void)
{
	return !access(DROP_CACHES, W_OK);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* Page cache of the group that this memory.reclaim file belongs to. */
static uint64_t file_bytes(const char *reclaim_path)
{
	char path[512], buf[8192];
	size_t dir = strlen(reclaim_path) - strlen("reclaim");

	if (dir + sizeof("stat") > sizeof(path))
		return 0;
	memcpy(path, reclaim_path, dir);
	strcpy(path + dir, "stat");
	if (proc_read_file(path, buf, sizeof(buf)) <= 0)
		return 0;
	return proc_number(buf, "\ninactive_file ") +
	       proc_number(buf, "\nactive_file ");
}

static bool has_swap(void)
{
	char buf[512];
	ssize_t n = proc_read_file("/proc/swaps", buf, sizeof(buf));
	const char *line = n > 0 ? strchr(buf, '\n') : NULL;

	return line && line[1];
}

/* False: not requested, as this kernel would swap too, or cannot reclaim. */
static bool reclaim_from(const char *path, uint64_t nr_bytes)
{
	char text[64];
	int rc;

	snprintf(text, sizeof(text), "%" PRIu64 " swappiness=0", nr_bytes);
	rc = write_text(path, text);
	if (rc == -EINVAL && !has_swap()) {
		/*
		 * Linux before 6.9 has no swappiness here; without swap none is
		 * needed.
		 */
		snprintf(text, sizeof(text), "%" PRIu64, nr_bytes);
		rc = write_text(path, text);
	}
	/* EAGAIN: reclaimed less than requested. */
	return !rc || rc == -EAGAIN;
}

/* Reclaims from the groups.  Returns how much was requested from them. */
static uint64_t reclaim_from_groups(uint64_t nr_bytes)
{
	uint64_t total = 0, requested = 0;
	glob_t found;

	if (glob(GROUPS, GLOB_NOSORT, NULL, &found))
		return 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		total += file_bytes(found.gl_pathv[i]);
	if (nr_bytes > total)
		nr_bytes = total;
	for (size_t i = 0; total && i < found.gl_pathc; i++) {
		double share = (double)file_bytes(found.gl_pathv[i]) / total;
		uint64_t part = nr_bytes * (share < 1 ? share : 1);

		if (part >= PAGE_BYTES && reclaim_from(found.gl_pathv[i], part))
			requested += part;
	}
	globfree(&found);
	return requested;
}

void cache_drop(uint64_t nr_bytes)
{
	char buf[8192];
	uint64_t requested = reclaim_from_groups(nr_bytes), clean;

	if (requested >= nr_bytes / 2 ||
	    proc_read_file("/proc/meminfo", buf, sizeof(buf)) <= 0)
		return;
	clean = cache_clean_bytes(buf);
	if (nr_bytes - requested >= clean / 2)
		write_text(DROP_CACHES, "1\n");
}
