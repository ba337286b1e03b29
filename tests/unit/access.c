// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of access sources that need neither KVM nor privilege. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/access/damon/damon-ctl.h"
#include "tests/unit/fake-source.h"
#include "vmm/access/pfn-map.h"
#include "vmm/util/bitmap.h"

/*
 *   pictures: '#' a page of the guest, '.' another's
 */
static const struct {
	const char *picture;
	uint64_t gap;
	size_t max;
	const char *want;	/* runs as "start-end " or the error */
} run_cases[] = {
	{ "", 0, 4, "" },
	{ "....", 0, 4, "" },
	{ "#", 0, 4, "100-101 " },
	{ "##..##", 0, 4, "100-102 104-106 " },
	{ "##..##", 1, 4, "100-102 104-106 " },
	{ "##..##", 2, 4, "100-106 " },
	{ ".#.#.#.", 0, 3, "101-102 103-104 105-106 " },
	{ ".#.#.#.", 0, 2, "E2BIG" },
	{ ".#.#.#.", 1, 1, "101-106 " },
	{ "#...#..#", 2, 4, "100-101 104-108 " },
};

static void test_runs(void)
{
	for (size_t i = 0; i < sizeof(run_cases) / sizeof(*run_cases); i++) {
		const char *p = run_cases[i].picture;
		uint64_t bits[1] = { 0 };
		struct pfn_run runs[4];
		char got[128] = "";
		int nr;

		for (size_t b = 0; p[b]; b++)
			if (p[b] == '#')
				bitmap_set(bits, b);
		nr = pfn_runs_from_bitmap(bits, 100, strlen(p),
					  run_cases[i].gap, runs,
					  run_cases[i].max);
		if (nr == -E2BIG)
			strcpy(got, "E2BIG");
		for (int r = 0; r < nr; r++)
			sprintf(got + strlen(got), "%d-%d ", (int)runs[r].start,
				(int)runs[r].end);
		if (!ok(!strcmp(got, run_cases[i].want), "runs of \"%s\", gap %d",
			p, (int)run_cases[i].gap))
			printf("# got \"%s\", want \"%s\"\n", got,
			       run_cases[i].want);
	}
}

static bool harvest_is(struct access_source *src, struct gfn_range range,
		       uint64_t want)
{
	uint64_t young[1] = { ~UINT64_C(0) };
	uint64_t mask = bitmap_word_mask(0, range.start.v,
					 range.start.v + range.nr);

	if (src->ops->harvest(src, range, young))
		return false;
	/* Bits outside the range stay as they were. */
	return (young[0] & mask) == want && (young[0] | mask) == ~UINT64_C(0);
}

/* Runs of 100 to 103, 200 to 2200 and 3000, in parts of at most so many pages. */
static const struct {
	uint64_t max;
	const char *want;	/* parts end with '|' */
} part_cases[] = {
	{ 1, NULL },
	{ 2, NULL },
	{ 1000, "100-103 200-1024 |1024-1536 |1536-2200 3000-3001 |" },
	{ 2003, "100-103 200-2200 |3000-3001 |" },
	{ 2004, "100-103 200-2200 3000-3001 |" },
	{ 1000000, "100-103 200-2200 3000-3001 |" },
};

static void test_parts(void)
{
	const struct pfn_run runs[] = { { 100, 103 }, { 200, 2200 },
					{ 3000, 3001 } };

	for (size_t i = 0; i < sizeof(part_cases) / sizeof(*part_cases); i++) {
		uint64_t max = part_cases[i].max, nr_pages = 0, most = 0;
		struct pfn_pos pos = { 0 };
		struct pfn_run part[3];
		char got[256] = "";
		size_t n;

		while ((n = pfn_runs_part(runs, 3, &pos, max, part))) {
			uint64_t pages = 0;

			for (size_t r = 0; r < n; r++) {
				pages += part[r].end - part[r].start;
				if (part_cases[i].want)
					sprintf(got + strlen(got), "%d-%d ",
						(int)part[r].start,
						(int)part[r].end);
			}
			strcat(got, part_cases[i].want ? "|" : "");
			nr_pages += pages;
			most = pages > most ? pages : most;
		}
		ok(nr_pages == 2004 && most <= max,
		   "parts of %d pages: all of them, no part larger", (int)max);
		if (part_cases[i].want &&
		    !ok(!strcmp(got, part_cases[i].want), "... as they should be"))
			printf("# got \"%s\"\n", got);
	}
}

static void test_fake(void)
{
	const struct gfn_range all = { GFN(0), 64 }, low = { GFN(0), 4 };
	struct access_source *src;
	char why[128];

	if (access_fake_open(&src, "# hot: 0-3\n0-3\n\n0-3 40 # once\n-\n", 64,
			     why, sizeof(why)))
		tap_bail("fake: %s", why);
	ok(harvest_is(src, all, 0xf), "the first window");
	ok(harvest_is(src, all, 0), "a harvest takes the bits out");
	access_fake_step(src);
	ok(harvest_is(src, low, 0xf), "a harvest of a range leaves the others");
	ok(harvest_is(src, all, UINT64_C(1) << 40), "... for the next harvest");
	access_fake_step(src);
	ok(harvest_is(src, all, 0), "a window without accesses");
	access_fake_step(src);
	access_fake_step(src);
	ok(harvest_is(src, all, 0xf | UINT64_C(1) << 40),
	   "two windows in one harvest, and the trace begins anew");
	access_fake_step(src);
	access_fake_step(src);
	is_int(src->ops->arm(src, low), 0, "arm");
	ok(harvest_is(src, all, 0), "arm forgets what was");
	access_fake_fail(src, EIO, 1);
	ok(!harvest_is(src, all, 0), "a harvest that is to fail fails");
	ok(harvest_is(src, all, 0), "... once");
	access_close(src);

	is_int(access_fake_open(&src, "0-3\n0-64\n", 64, why, sizeof(why)),
	       -EINVAL, "a frame beyond memory is refused");
	ok(strstr(why, "line 2"), "... and the line is named");
	is_int(access_fake_open(&src, "3-1\n", 64, why, sizeof(why)), -EINVAL,
	       "a range the wrong way round is refused");
	is_int(access_fake_open(&src, "1,2\n", 64, why, sizeof(why)), -EINVAL,
	       "other separators are refused");
	is_int(access_fake_open(&src, "# nothing\n", 64, why, sizeof(why)),
	       -EINVAL, "a trace without windows is refused");
}

static void test_names(void)
{
	struct access_target target = { .vm_fd = -1 };
	struct access_source *src = NULL;
	char why[256];
	bool distinct = true;

	if (guest_mem_new(&target.mem, 4096, GUEST_MEM_ANON))
		tap_bail("no memory");
	is_int(access_open(&src, "nonsense", &target, why, sizeof(why)),
	       -EINVAL, "an unknown source is refused");
	for (size_t i = 0; access_sources[i]; i++) {
		ok(strstr(why, access_sources[i]->name), "... naming %s",
		   access_sources[i]->name);
		for (size_t j = 0; j < i; j++)
			distinct &= !!strcmp(access_sources[i]->name,
					     access_sources[j]->name);
	}
	ok(distinct, "no two sources have one name");
	guest_mem_free(target.mem);
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) == EOF || fclose(f))
		tap_bail("%s: cannot write", path);
}

static void test_tree(void)
{
	char dir[] = "/tmp/vmm-access-XXXXXX", cmd[128], line[64];
	FILE *f;
	const char *want[] = { "nr_k\t1\n", "0/nr_c\t2\n", "0/action\tstat\n",
			       "0/c/max\t7\n" };
	bool same = true;

	if (!mkdtemp(dir) || chdir(dir) || mkdir("t", 0700) ||
	    mkdir("t/0", 0700) || mkdir("t/0/c", 0700) ||
	    mkdir("t/0/tried_regions", 0700))
		tap_bail("%s: cannot be made", dir);
	put_file("t/nr_k", "1\n");
	put_file("t/0/action", "stat\n");
	put_file("t/0/nr_c", "2\n");
	put_file("t/0/state", "off\n");
	put_file("t/0/empty", "\n");
	put_file("t/0/c/max", "7\n");
	put_file("t/0/tried_regions/x", "1\n");
	put_file("t/0/pid", "1\n");
	chmod("t/0/pid", 0400);
	is_int(damon_tree_save("t", "saved"), 0, "a configuration is saved");
	f = fopen("saved", "r");
	for (size_t i = 0; f && i < 4; i++)
		same &= fgets(line, sizeof(line), f) && !strcmp(line, want[i]);
	same &= f && !fgets(line, sizeof(line), f);
	ok(same, "... counts first, without what cannot be written");
	if (f)
		fclose(f);
	put_file("t/0/c/max", "1\n");
	is_int(damon_tree_restore("t", "saved"), 0, "and restored");
	f = fopen("t/0/c/max", "r");
	ok(f && fgets(line, sizeof(line), f) && !strcmp(line, "7"),
	   "... to the value it had");
	if (f)
		fclose(f);
	is_int(damon_tree_restore("t", "missing"), -ENOENT,
	       "a save that is missing is an error");
	is_int(damon_tree_save("missing", "saved2"), -ENOENT,
	       "so is a missing directory");
	ok(access("saved2", F_OK), "... and leaves no file");
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (chdir("/") || system(cmd))
		printf("# %s stays\n", dir);
}

int main(void)
{
	test_runs();
	test_parts();
	test_fake();
	test_names();
	test_tree();
	return tap_done();
}
