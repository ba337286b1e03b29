// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/attach.h"
#include "vmm/util/cleanup.h"

#define HEADER	   "vmm-ages 1 %" PRIu64 "\n"
#define HEADER_IN  "vmm-ages 1 %" SCNu64
#define MAX_FRAMES UINT64_C(0xfffffffe)

int attach_ages_save(const char *path, const uint8_t *ages, uint64_t nr)
{
	__cleanup_free char *name = NULL;
	FILE *f;
	int rc = 0;

	/* Whole or not at all: somebody may read it meanwhile. */
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

int attach_ages_load(const char *path, uint8_t **agesp, uint64_t *nr)
{
	__cleanup_fclose FILE *f = fopen(path, "re");
	uint8_t *ages;
	char line[64];

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f) || sscanf(line, HEADER_IN, nr) != 1 ||
	    !*nr || *nr > MAX_FRAMES)
		return -EINVAL;
	ages = malloc(*nr);
	if (!ages)
		return -ENOMEM;
	if (fread(ages, 1, *nr, f) != *nr || fgetc(f) != EOF) {
		free(ages);
		return -EINVAL;
	}
	*agesp = ages;
	return 0;
}
