// SPDX-License-Identifier: GPL-2.0-or-later
/* The pure parts of the policy: classes, balance, thresholds, the host's state. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/policy/anon-file-balance.h"
#include "vmm/policy/class.h"
#include "vmm/policy/proactive.h"
#include "vmm/util/pressure.h"

#define WSS    100000
#define PPM    2000		/* 200 pages of that a minute */
#define WINDOW PROACTIVE_WINDOW_NS

static void test_classes(void)
{
	static const struct {
		uint32_t flags;
		enum frame_class class;
	} t[] = {
		{ 0, CLASS_UNKNOWN },
		{ RMAP_PG_HUGE, CLASS_UNKNOWN },
		{ RMAP_PG_FREE, CLASS_FREE },
		{ RMAP_PG_ANON | RMAP_PG_SWAPBACKED, CLASS_ANON },
		{ RMAP_PG_ANON | RMAP_PG_DIRTY, CLASS_ANON },
		{ RMAP_PG_SWAPBACKED, CLASS_ANON },
		{ RMAP_PG_KSM, CLASS_ANON },
		{ RMAP_PG_FILE, CLASS_CLEAN_FILE },
		{ RMAP_PG_FILE | RMAP_PG_DIRTY, CLASS_DIRTY_FILE },
		{ RMAP_PG_FILE | RMAP_PG_SWAPBACKED, CLASS_ANON },
		{ RMAP_PG_LOCKED | RMAP_PG_FILE, CLASS_NEVER },
		{ RMAP_PG_RESERVED, CLASS_NEVER },
		{ RMAP_PG_PGTABLE, CLASS_NEVER },
		{ RMAP_PG_SLAB | RMAP_PG_FREE, CLASS_NEVER },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		ok(frame_class_of(t[i].flags) == t[i].class,
		       "the class of flags 0x%x", t[i].flags);
}

static void test_balance(void)
{
	struct anon_file_balance b = { 0 };

	ok(anon_file_balance_share(&b) == 1,
	   "page cache first: nothing is missed");
	anon_file_balance_add(&b, 1000, 0, 1 << 20);
	ok(anon_file_balance_share(&b) == 1, "still, if others are missed");
	anon_file_balance_add(&b, 0, 1000, 1 << 20);
	ok(fabs(anon_file_balance_share(&b) - 0.5) < 0.01,
	   "both alike: half each");
	anon_file_balance_add(&b, 0, 100000, 1 << 20);
	ok(anon_file_balance_share(&b) < 0.36 &&
		   anon_file_balance_share(&b) > 0.3,
	   "page cache is missed: a third, but never nothing (%.3f)",
	   anon_file_balance_share(&b));
	for (int i = 0; i < 20; i++)
		anon_file_balance_add(&b, 100000, 0, 1 << 20);
	ok(anon_file_balance_share(&b) > 0.64, "what was is forgotten (%.3f)",
	   anon_file_balance_share(&b));
	anon_file_balance_add(&b, 5, 5, 0);
	ok(b.anon_cost + b.file_cost <= 1, "a guest without memory ends, too");
}

/* A window in which nr pages that were idle for `age` scans were accessed. */
static void window(struct proactive *p, uint64_t *now, unsigned int nr,
		   unsigned int age, bool is_refault)
{
	for (unsigned int i = 0; i < nr; i++)
		proactive_count(p, age, is_refault);
	*now += WINDOW;
	proactive_tick(p, *now, WSS, PPM, 2);
}

static void test_threshold(void)
{
	struct proactive p = { 0 };
	uint64_t now = 1;

	is_int(proactive_threshold(&p), PROACTIVE_NEVER, "nothing is known yet");
	proactive_tick(&p, now, WSS, PPM, 2);
	proactive_tick(&p, now + WINDOW / 2, WSS, PPM, 2);
	is_int(proactive_threshold(&p), PROACTIVE_NEVER,
	       "nor after half a window");
	/* 33 pages in 10 s are 198 a minute. */
	window(&p, &now, 33, 50, false);
	is_int(proactive_threshold(&p), 2, "within the budget: the policy's own");
	window(&p, &now, 40, 50, false);
	is_int(proactive_threshold(&p), 51,
	       "73 in 20 s are 219 a minute: pages idle for 50 scans stay");
	for (int i = 0; i < 5; i++)
		window(&p, &now, 0, 0, false);
	is_int(proactive_threshold(&p), 51, "that is remembered for a minute");
	window(&p, &now, 0, 0, false);
	is_int(proactive_threshold(&p), 2, "and then it is over");

	/* Ages below the policy's are no matter, however many. */
	window(&p, &now, 100000, 1, false);
	is_int(proactive_threshold(&p), 2, "what is used all the time counts not");
	window(&p, &now, 1000, 255, false);
	is_int(proactive_threshold(&p), PROACTIVE_NEVER,
	       "no age is old enough: nothing goes");
}

static void test_refaults(void)
{
	struct proactive p = { 0 };
	uint64_t now = 1;

	proactive_tick(&p, now, WSS, PPM, 2);
	window(&p, &now, 0, 0, false);
	/* They came from one age: a higher one would be cheap, but they came. */
	window(&p, &now, 201, 9, true);
	is_int(proactive_refaults(&p), 201, "201 came back");
	is_int(proactive_threshold(&p), PROACTIVE_NEVER,
	       "the minute's budget is spent");
	for (int i = 0; i < 6; i++)
		window(&p, &now, 0, 0, false);
	is_int(proactive_refaults(&p), 0, "a minute later they are forgotten");
	is_int(proactive_threshold(&p), 10, "and what is idle for longer goes");
	for (int i = 0; i < 5; i++)
		window(&p, &now, 0, 0, false);
	is_int(proactive_threshold(&p), 2, "and then the rest");
	proactive_count(&p, 100000, false);
	is_int(p.accesses[p.current][PROACTIVE_AGES - 1], 1, "ages saturate");
}

static void test_host(void)
{
	is_int(pressure_parse_psi("some avg10=1.05 avg60=0.00 avg300=0.00 "
				  "total=9\nfull avg10=0.00"), 105,
	       "1.05 % of the time");
	is_int(pressure_parse_psi("some avg10=100.00 avg60"), 10000, "all of it");
	is_int(pressure_parse_psi("full avg10=1.00"), -EINVAL, "not PSI");
	is_int(pressure_parse_psi(""), -EINVAL, "nothing");
	is_int(pressure_parse_available("MemTotal: 9 kB\nMemAvailable:   "
					"2048 kB\n"), 2 << 20, "2 MiB available");
	is_int(pressure_parse_available("MemTotal: 9 kB\n"), -EINVAL,
	       "a kernel that does not say");
	ok(pressure_available() > 0, "this host says");
}

int main(void)
{
	test_classes();
	test_balance();
	test_threshold();
	test_refaults();
	test_host();
	return tap_done();
}
