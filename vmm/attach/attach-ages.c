// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/attach/attach.h"
#include "vmm/engine/engine.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/small-file.h"

#define HEADER	   "vmm-ages 1 %" PRIu64 "\n"
#define HEADER_IN  "vmm-ages 1 %" SCNu64
#define MAX_FRAMES UINT64_C(0xfffffffe)

bool attach_ages_sample(struct attach_ages *a, struct engine *e, uint64_t nr)
{
	struct engine_stats stats;
	uint8_t *spare = a->spare;

	engine_get_stats(e, &stats);
	if (!stats.scan.nr_scans ||
	    (spare && stats.scan.nr_scans == a->nr_scans))
		return false;
	if (!spare || a->nr_spare != nr)
		spare = realloc(a->spare, nr);
	if (!spare)
		return false;
	a->spare = spare;
	a->nr_spare = nr;
	a->nr_scans = stats.scan.nr_scans;
	return !engine_get_ages(e, (struct gfn_range){ GFN(0), nr }, spare);
}

void attach_ages_commit(struct attach_ages *a)
{
	uint8_t *ages = a->ages;
	uint64_t nr = a->nr;

	a->ages = a->spare;
	a->nr = a->nr_spare;
	a->spare = ages;
	a->nr_spare = nr;
}

void attach_ages_free(struct attach_ages *a)
{
	free(a->ages);
	free(a->spare);
}

int attach_ages_file(char **pathp, const char *name, bool *in_directory)
{
	struct stat st;
	char *file;

	*in_directory = !stat(*pathp, &st) && S_ISDIR(st.st_mode);
	if (!*in_directory)
		return 0;
	if (asprintf(&file, "%s/%s.ages", *pathp, name) < 0)
		return -ENOMEM;
	/* libvirt's names hold no '/'; other names may. */
	for (char *c = file + strlen(*pathp) + 1; *c; c++)
		if (*c == '/')
			*c = '_';
	free(*pathp);
	*pathp = file;
	return 0;
}

/* The process's start time on the clock of file times; 0: unknown. */
static time_t start_of(pid_t pid)
{
	char path[64], line[1024];
	unsigned long long ticks;
	struct timespec boot;
	const char *comm_end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (small_file_read(path, line, sizeof(line)) < 0)
		return 0;
	/* Field 22; field 2 may hold anything, but the last ')' ends it. */
	comm_end = strrchr(line, ')');
	if (!comm_end || sscanf(comm_end + 1, " %*c%*s%*s%*s%*s%*s%*s%*s%*s%*s"
				"%*s%*s%*s%*s%*s%*s%*s%*s%*s%llu", &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return time(NULL) - boot.tv_sec + ticks / sysconf(_SC_CLK_TCK);
}

bool attach_ages_are_of(const char *path, pid_t pid)
{
	struct stat st;

	return !stat(path, &st) && st.st_mtime > start_of(pid);
}

int attach_ages_save(const char *path, const uint8_t *ages, uint64_t nr)
{
	__cleanup_free char *name = NULL;
	FILE *f;
	int rc = 0;

	/* Replace the file atomically: another process may be reading it. */
	if (asprintf(&name, "%s.new", path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	f = fopen(name, "we");
	if (!f)
		return -errno;
	if (fprintf(f, HEADER, nr) < 0 || fwrite(ages, 1, nr, f) != nr)
		rc = -errno;
	if (fclose(f) && !rc)
		rc = -errno;
	if (!rc && rename(name, path))
		rc = -errno;
	if (rc)
		unlink(name);
	return rc;
}

int attach_ages_load(const char *path, uint8_t **agesp, uint64_t *nrp)
{
	__cleanup_fclose FILE *f = fopen(path, "re");
	uint8_t *ages;
	uint64_t nr;
	char line[64];

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f) || sscanf(line, HEADER_IN, &nr) != 1 ||
	    !nr || nr > MAX_FRAMES)
		return -EINVAL;
	ages = malloc(nr);
	if (!ages)
		return -ENOMEM;
	if (fread(ages, 1, nr, f) != nr || fgetc(f) != EOF) {
		free(ages);
		return -EINVAL;
	}
	free(*agesp);
	*agesp = ages;
	*nrp = nr;
	return 0;
}
