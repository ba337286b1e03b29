// SPDX-License-Identifier: GPL-2.0-or-later
/* Saves and restores a configuration in DAMON's sysfs directory. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

static bool is_count(const char *name)
{
	return !strncmp(name, "nr_", 3);
}

/* nr_accesses is a directory and sorts with the others. */
static int counts_first(const struct dirent **a, const struct dirent **b)
{
	int diff = is_count((*b)->d_name) - is_count((*a)->d_name);

	return diff ? diff : strcmp((*a)->d_name, (*b)->d_name);
}

static int skip_dots(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int save_file(int dirfd, const char *name, const char *rel, FILE *out)
{
	char value[PATH_MAX];
	int err = damon_sysfs_get(dirfd, name, value, sizeof(value));

	if (err)
		return err;
	if (*value && fprintf(out, "%s\t%s\n", rel, value) < 0)
		return -EIO;
	return 0;
}

/* rel: path below the root so far, "" at the top. */
static int save_dir(const char *root, const char *rel, FILE *out)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent **list;
	int nr, err = 0, dirfd;

	if (snprintf(dir, sizeof(dir), "%s/%s", root, rel) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	nr = scandirat(dirfd, ".", &list, skip_dots, counts_first);
	if (nr < 0) {
		err = -errno;
		close(dirfd);
		return err;
	}
	/*
	 * Files before directories: writing counts creates the entries that
	 * follow.
	 */
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < nr && !err; i++) {
			const char *name = list[i]->d_name;
			struct stat st;

			if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW)) {
				err = -errno;
				break;
			}
			if (snprintf(path, sizeof(path), "%s%s%s", rel,
				     *rel ? "/" : "", name) >= (int)sizeof(path))
				err = -ENAMETOOLONG;
			else if (pass == 0 && S_ISREG(st.st_mode) &&
				 st.st_mode & S_IWUSR && strcmp(name, "state"))
				err = save_file(dirfd, name, path, out);
			else if (pass == 1 && S_ISDIR(st.st_mode) &&
				 strcmp(name, "tried_regions"))
				err = save_dir(root, path, out);
		}
	}
	for (int i = 0; i < nr; i++)
		free(list[i]);
	free(list);
	close(dirfd);
	return err;
}

int damon_tree_save(const char *dir, const char *path)
{
	char tmp[PATH_MAX];
	FILE *out;
	int err;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	out = fopen(tmp, "we");
	if (!out)
		return -errno;
	err = save_dir(dir, "", out);
	if (fclose(out) && !err)
		err = -errno;
	/* By rename, so that the file is either complete or absent. */
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

int damon_tree_restore(const char *dir, const char *path)
{
	__cleanup_fclose FILE *in = fopen(path, "re");
	__cleanup_free char *line = NULL;
	char file[PATH_MAX];
	size_t cap = 0;
	int err = 0;

	if (!in)
		return -errno;
	while (getline(&line, &cap, in) > 0) {
		char *value = strchr(line, '\t');
		int rc;

		line[strcspn(line, "\n")] = '\0';
		if (!value)
			return -EINVAL;
		*value++ = '\0';
		if (snprintf(file, sizeof(file), "%s/%s", dir, line) >=
		    (int)sizeof(file))
			return -ENAMETOOLONG;
		rc = damon_sysfs_put(AT_FDCWD, file, value);
		if (rc) {
			err = rc;
			log_warn("%s: cannot restore \"%s\": %s", file, value,
				 error_text(-err));
		}
	}
	return err;
}
