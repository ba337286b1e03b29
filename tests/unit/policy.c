// SPDX-License-Identifier: GPL-2.0-or-later
/* The policy's text: what it sets, what it leaves, and what it refuses. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/policy/engine.h"

static bool same(const struct engine_policy *a, const struct engine_policy *b)
{
	return a->enabled == b->enabled &&
	       a->target_bytes == b->target_bytes &&
	       a->scan_period_ms == b->scan_period_ms &&
	       a->min_idle_scans == b->min_idle_scans &&
	       a->cpu_percent == b->cpu_percent &&
	       a->prefetch_pages == b->prefetch_pages;
}

#define P(on, target, period_ms, scans, cpu, ahead)                         \
	{ .enabled = on, .target_bytes = target,                            \
	  .scan_period_ms = period_ms, .min_idle_scans = scans,             \
	  .cpu_percent = cpu, .prefetch_pages = ahead }

static void test_good(void)
{
	static const struct {
		const char *text;
		struct engine_policy want;	/* from the default */
	} t[] = {
		{ "off", P(false, 0, 1000, 2, 10, 0) },
		{ "on", P(true, 0, 1000, 2, 10, 0) },
		{ "target=1G", P(true, 1ull << 30, 1000, 2, 10, 0) },
		{ "target=1G,off", P(false, 1ull << 30, 1000, 2, 10, 0) },
		{ "period=500ms", P(false, 0, 500, 2, 10, 0) },
		{ "period=2s", P(false, 0, 2000, 2, 10, 0) },
		{ "idle=7", P(false, 0, 1000, 7, 10, 0) },
		{ "cpu=25", P(false, 0, 1000, 2, 25, 0) },
		{ "cpu=25%", P(false, 0, 1000, 2, 25, 0) },
		{ "target=64M,period=3s,idle=4,cpu=5",
		  P(true, 64ull << 20, 3000, 4, 5, 0) },
		{ "prefetch=512", P(false, 0, 1000, 2, 10, 512) },
		{ "idle=3,idle=5", P(false, 0, 1000, 5, 10, 0) },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct engine_policy p = ENGINE_POLICY_DEFAULT;
		char why[128] = "";
		int rc = engine_policy_parse(t[i].text, &p, why, sizeof(why));

		ok(!rc && same(&p, &t[i].want), "%s", t[i].text);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *text, *says;
	} t[] = {
		{ "", "has no ''" },
		{ "On", "has no 'On'" },
		{ "on=1", "has no 'on'" },
		{ "on,", "has no ''" },
		{ "speed=9", "has no 'speed'" },
		{ "target", "target=''" },
		{ "target=", "target=''" },
		{ "target=lots", "target='lots'" },
		{ "period=5", "period='5'" },
		{ "period=-5s", "period='-5s'" },
		{ "period=5m", "period='5m'" },
		{ "period=99999999999999999999s", "period='9999" },
		{ "idle=2.5", "idle='2.5'" },
		{ "idle=-1", "idle='-1'" },
		{ "idle=", "idle=''" },
		{ "prefetch=many", "prefetch='many'" },
		{ "cpu=all", "cpu='all'" },
		{ "cpu=10%%", "cpu='10%%'" },
		{ "target=1G,idle=x", "idle='x'" },
	};
	const struct engine_policy before = P(true, 4096, 77, 3, 9, 0);

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct engine_policy p = before;
		char why[128] = "";
		int rc = engine_policy_parse(t[i].text, &p, why, sizeof(why));

		if (!ok(rc == -EINVAL && strstr(why, t[i].says) &&
			same(&p, &before), "refused, unchanged: '%s'",
			t[i].text))
			printf("# %d: %s\n", rc, why);
	}
}

int main(void)
{
	test_good();
	test_bad();
	return tap_done();
}
