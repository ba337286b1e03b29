// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the agent handles the results of the ways to find page tables: fake ways.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "guest-agent/pgd.h"
#include "tests/tap.h"

#define NR_FRAMES 1000
#define PAGE	  PROTOCOL_PAGE_SIZE

/* What a fake way does; both look here. */
static struct {
	bool serves, knows_us;
	int nr_torn;		/* times that a read has to be done anew */
	int rc;			/* of a read then */
	int nr_reads, nr_open;
} script[2];

static int fake_open(struct pgds *p, int i, char *why, size_t len)
{
	if (!script[i].serves) {
		snprintf(why, len, "reason %d", i);
		return -ENOENT;
	}
	p->la57 = i == 0;
	script[i].nr_open++;
	return 0;
}

static int fake_read(struct pgds *p, int i)
{
	/* As found from tasks in no order. */
	static const struct pgd_entry told[] = {
		{ 900, 5 * PAGE }, { 3, 7 * PAGE }, { 77, 8 * PAGE + 8 },
		{ 78, NR_FRAMES * PAGE }, { 79, (NR_FRAMES - 1) * PAGE },
		{ 80, UINT64_MAX - PAGE + 1 }, { 40, 0 },
	};

	script[i].nr_reads++;
	for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++)
		if (pgd_add(p, told[k].pid, told[k].pgd))
			return -ENOMEM;
	if (script[i].knows_us && pgd_add(p, getpid(), (2 + i) * PAGE))
		return -ENOMEM;
	if (script[i].nr_torn) {
		script[i].nr_torn--;
		return -EAGAIN;
	}
	return script[i].rc;
}

static void fake_close(int i)
{
	script[i].nr_open--;
}

static int open_0(struct pgds *p, char *why, size_t len)
{
	return fake_open(p, 0, why, len);
}

static int open_1(struct pgds *p, char *why, size_t len)
{
	return fake_open(p, 1, why, len);
}

static int read_0(struct pgds *p)
{
	return fake_read(p, 0);
}

static int read_1(struct pgds *p)
{
	return fake_read(p, 1);
}

static void close_0(struct pgds *p)
{
	fake_close(0);
}

static void close_1(struct pgds *p)
{
	fake_close(1);
}

/* In the places of the true ones. */
const struct pgd_method pgd_bpf = { "bpf", open_0, read_0, close_0 };
const struct pgd_method pgd_kcore = { "kcore", open_1, read_1, close_1 };

static void set(bool serves_0, bool knows_0, bool serves_1, bool knows_1)
{
	memset(script, 0, sizeof(script));
	script[0].serves = serves_0;
	script[0].knows_us = knows_0;
	script[1].serves = serves_1;
	script[1].knows_us = knows_1;
}

static void test_choice(void)
{
	static const struct {
		const char *what, *name;
		bool serves[2], knows[2];
		const char *method, *why;
	} rows[] = {
		{ "the first that serves", NULL, { 1, 1 }, { 1, 1 }, "bpf", "" },
		{ "else the second", NULL, { 0, 1 }, { 0, 1 }, "kcore", NULL },
		{ "one that does not know us is passed", NULL, { 1, 1 },
		  { 0, 1 }, "kcore", NULL },
		{ "only the one that was named", "kcore", { 1, 1 }, { 1, 1 },
		  "kcore", "" },
		{ "none, if that does not serve", "bpf", { 0, 1 }, { 0, 1 },
		  NULL, "bpf: reason 0" },
		{ "none, if that was named", "none", { 1, 1 }, { 1, 1 }, NULL,
		  "" },
		{ "none, and the reasons of both", NULL, { 0, 1 }, { 0, 0 },
		  NULL, "bpf: reason 0; kcore: it does not find the agent's own "
			"process" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *method;
		struct pgds p;
		char why[400];

		set(rows[i].serves[0], rows[i].knows[0], rows[i].serves[1],
		    rows[i].knows[1]);
		pgds_init(&p, NR_FRAMES, rows[i].name, why, sizeof(why));
		method = p.method ? p.method->name : "none";
		ok(!strcmp(method, rows[i].method ? rows[i].method : "none"),
		   "%s", rows[i].what);
		if (rows[i].why && !ok(!strcmp(why, rows[i].why), "and says "
				       "why not"))
			printf("# got \"%s\"\n", why);
		ok(p.la57 == (p.method == &pgd_bpf),
		   "levels are those it tells");
		pgds_destroy(&p);
		ok(!script[0].nr_open && !script[1].nr_open, "closed");
	}
}

static void test_find(void)
{
	struct pgds p;
	char why[400];

	set(1, 1, 0, 0);
	pgds_init(&p, NR_FRAMES, NULL, why, sizeof(why));
	is_int(pgds_find(&p, 900), 5 * PAGE, "told last, found");
	is_int(pgds_find(&p, 3), 7 * PAGE, "told first, found");
	is_int(pgds_find(&p, 79), (NR_FRAMES - 1) * PAGE, "the last frame");
	is_int(pgds_find(&p, 40), 0, "the first frame");
	ok(pgds_find(&p, 77) == PROTOCOL_NO_PGD, "not aligned: no table");
	ok(pgds_find(&p, 78) == PROTOCOL_NO_PGD, "after the last frame: none");
	ok(pgds_find(&p, 80) == PROTOCOL_NO_PGD, "far after it: none");
	ok(pgds_find(&p, 4) == PROTOCOL_NO_PGD, "not told: none");
	script[0].nr_reads = 0;
	script[0].nr_torn = 2;
	pgds_read(&p);
	is_int(script[0].nr_reads, 3, "a read that was torn is done anew");
	is_int(p.nr, 5, "and each is there once");
	script[0].rc = -EIO;
	pgds_read(&p);
	ok(pgds_find(&p, 900) == PROTOCOL_NO_PGD, "after a failure none is known");
	script[0].rc = 0;
	script[0].nr_torn = 1000000;
	pgds_read(&p);
	ok(script[0].nr_reads < 100 && !p.nr, "always torn: it gives up");
	script[0].nr_torn = 0;
	pgds_read(&p);
	is_int(pgds_find(&p, 900), 5 * PAGE, "and later all are known again");
	pgds_destroy(&p);
}

int main(void)
{
	test_choice();
	test_find();
	ok(!pgd_is_la57(UINT64_C(0xffff888000000000)), "four levels' base");
	ok(!pgd_is_la57(UINT64_C(0xffff9a1240000000)), "and a random one");
	ok(pgd_is_la57(UINT64_C(0xff11000000000000)), "five levels' base");
	ok(pgd_is_la57(UINT64_C(0xff2d41c000000000)), "and a random one");
	return tap_done();
}
