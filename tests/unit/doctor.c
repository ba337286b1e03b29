// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The doctor's report on made-up hosts: a tree with the files of a host without
 * any problem, and for each obstacle the same with a few files changed.  The
 * controls are the unchanged tree, where all facts must be OK, and the number
 * of facts that each change makes worse.
 */
#include "config.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/doctor-cases.h"
#include "vmm/doctor/doctor.h"

/* --- trees ------------------------------------------------------------- */

static char top[] = "/tmp/doctor-XXXXXX";
static unsigned int nr_trees;

static void put(const char *root, const struct file *file)
{
	char path[512], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file->path);
	for (slash = path + strlen(top) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			tap_bail("%s: %s", path, strerror(errno));
		*slash = '/';
	}
	if (!strncmp(file->text, LINK, 2)) {
		if (symlink(file->text + 2, path))
			tap_bail("%s: %s", path, strerror(errno));
		return;
	}
	f = fopen(path, "w");
	if (!f || fputs(file->text, f) < 0 || fclose(f))
		tap_bail("%s: %s", path, strerror(errno));
}

static bool is_changed(const struct file *changes, const char *path)
{
	for (; changes && changes->path; changes++) {
		size_t n = strlen(changes->path);

		if (!strncmp(path, changes->path, n) &&
		    (!path[n] || (!changes->text && path[n] == '/')))
			return true;
	}
	return false;
}

static struct doctor *look(const struct file *changes, pid_t pid)
{
	struct doctor *d;
	char root[64];

	snprintf(root, sizeof(root), "%s/%u", top, nr_trees++);
	for (size_t i = 0; i < sizeof(good_host) / sizeof(*good_host); i++)
		if (!is_changed(changes, good_host[i].path))
			put(root, &good_host[i]);
	for (; changes && changes->path; changes++)
		if (changes->text)
			put(root, changes);
	if (doctor_new(&d, root))
		tap_bail("no memory");
	if (pid)
		doctor_check_process(d, pid);
	else
		doctor_check_host(d);
	return d;
}

/* Where tests run /dev/kvm itself may be absent or closed to us. */
static bool is_about_this_host(const struct doctor_fact *f,
			       const struct file *changes)
{
	return !strcmp(f->name, "/dev/kvm") && !is_changed(changes, "/dev/kvm");
}

static unsigned int count_bad(const struct doctor *d,
			      const struct file *changes, bool tell)
{
	const struct doctor_fact *f;
	unsigned int nr_bad = 0;
	size_t nr;

	f = doctor_facts(d, &nr);
	for (size_t i = 0; i < nr; i++, f++) {
		if (f->status == DOCTOR_OK || is_about_this_host(f, changes))
			continue;
		nr_bad++;
		if (tell)
			printf("# %s %s: %s, %s; %s\n", f->group, f->name,
			       doctor_status_name(f->status), f->value,
			       f->remedy);
	}
	return nr_bad;
}

static void test_good(void)
{
	struct doctor *d = look(NULL, 0);
	struct doctor_summary sum;
	size_t nr;

	doctor_facts(d, &nr);
	ok(nr > 20, "of a good host there are %zu facts", nr);
	is_int(count_bad(d, NULL, true), 0, "each is all right");
	doctor_summarize(d, &sum);
	ok(!sum.source && !sum.sink && !sum.good && sum.process,
	   "what was not tried does not serve");
	doctor_free(d);

	d = look(NULL, 77);
	doctor_facts(d, &nr);
	ok(nr > 5, "of a good process there are %zu facts", nr);
	is_int(count_bad(d, NULL, true), 0, "each is all right");
	doctor_free(d);
}

static void test_case(const struct doctor_case *c, pid_t pid)
{
	struct doctor *d = look(c->changes, pid);
	const struct doctor_fact *f = doctor_find(d, c->group, c->name);
	unsigned int nr_bad = count_bad(d, c->changes, false);
	struct doctor_summary sum;

	if (!ok(f && f->status == c->status && strstr(f->value, c->value) &&
		strstr(f->remedy, c->remedy), "%s", c->what))
		printf("# want %s, \"%s\", \"%s\"; got %s, \"%s\", \"%s\"\n",
		       doctor_status_name(c->status), c->value, c->remedy,
		       f ? doctor_status_name(f->status) : "no such fact",
		       f ? f->value : "", f ? f->remedy : "");
	if (!ok(nr_bad == c->nr_bad, "%s: facts that say so: %u", c->what,
		c->nr_bad))
		count_bad(d, c->changes, true);
	if (pid) {
		doctor_summarize(d, &sum);
		ok(sum.process == (c->status != DOCTOR_FAIL),
		   "%s: the process %s be reclaimed from", c->what,
		   sum.process ? "can" : "cannot");
	}
	doctor_free(d);
}

/* A host that shows nothing, as a bare chroot does. */
static void test_empty(void)
{
	struct doctor_summary sum;
	struct doctor *d;
	char root[64];
	const struct doctor_fact *f;
	size_t nr, nr_mute = 0;

	snprintf(root, sizeof(root), "%s/empty", top);
	if (mkdir(root, 0700) || doctor_new(&d, root))
		tap_bail("%s: %s", root, strerror(errno));
	doctor_check_host(d);
	doctor_check_process(d, 1);
	doctor_summarize(d, &sum);
	ok(!sum.guests && !sum.process && !sum.good, "an empty host can nothing");
	f = doctor_facts(d, &nr);
	for (size_t i = 0; i < nr; i++)
		nr_mute += f[i].status != DOCTOR_OK && !*f[i].remedy;
	is_int(nr_mute, 0, "there is a remedy for each obstacle");
	doctor_free(d);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	if (!mkdtemp(top))
		tap_bail("%s: %s", top, strerror(errno));
	test_good();
	for (const struct doctor_case *c = cases; c->what; c++)
		test_case(c, 0);
	for (const struct doctor_case *c = process_cases; c->what; c++)
		test_case(c, 77);
	test_empty();
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
