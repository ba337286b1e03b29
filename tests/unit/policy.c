// SPDX-License-Identifier: GPL-2.0-or-later
/* The policy's text: what it sets, leaves unchanged, and refuses. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/engine/engine.h"

/* Members that come after `cpu`, as text that follows. */
#define P(on, target, period, idle, cpu, ...)				      \
	{ .enabled = on, .target_bytes = target, .scan_period_ms = period,    \
	  .min_idle_scans = idle, .cpu_percent = cpu, __VA_ARGS__ }

static bool same(const struct engine_policy *a, const struct engine_policy *b)
{
	return a->enabled == b->enabled &&
	       a->target_bytes == b->target_bytes &&
	       a->scan_period_ms == b->scan_period_ms &&
	       a->min_idle_scans == b->min_idle_scans &&
	       a->cpu_percent == b->cpu_percent &&
	       a->prefetch_pages == b->prefetch_pages && a->hard == b->hard &&
	       a->proactive_ppm == b->proactive_ppm &&
	       a->psi_limit == b->psi_limit && a->io_bytes == b->io_bytes &&
	       a->low_bytes == b->low_bytes && a->high_bytes == b->high_bytes;
}

static void test_good(void)
{
	static const struct {
		const char *text;
		struct engine_policy want;	/* from the default */
	} t[] = {
		{ "off", P(false, 0, 1000, 2, 10) },
		{ "on", P(true, 0, 1000, 2, 10) },
		{ "target=1G", P(true, 1ull << 30, 1000, 2, 10) },
		{ "target=1G,off", P(false, 1ull << 30, 1000, 2, 10) },
		{ "period=500ms", P(false, 0, 500, 2, 10) },
		{ "period=2s", P(false, 0, 2000, 2, 10) },
		{ "idle=7", P(false, 0, 1000, 7, 10) },
		{ "cpu=25", P(false, 0, 1000, 2, 25) },
		{ "cpu=25%", P(false, 0, 1000, 2, 25) },
		{ "target=64M,period=3s,idle=4,cpu=5",
		  P(true, 64ull << 20, 3000, 4, 5) },
		{ "prefetch=512",
		  P(false, 0, 1000, 2, 10, .prefetch_pages = 512) },
		{ "hard=on", P(false, 0, 1000, 2, 10, .hard = true) },
		{ "hard=on,hard=off", P(false, 0, 1000, 2, 10) },
		{ "idle=3,idle=5", P(false, 0, 1000, 5, 10) },
		{ "proactive", P(true, 0, 1000, 2, 10, .proactive_ppm = 2000) },
		{ "proactive=0.05%",
		  P(true, 0, 1000, 2, 10, .proactive_ppm = 500) },
		{ "proactive=3,proactive=off", P(true, 0, 1000, 2, 10) },
		{ "psi=0.5", P(false, 0, 1000, 2, 10, .psi_limit = 50) },
		{ "psi=off", P(false, 0, 1000, 2, 10) },
		{ "io=20M", P(false, 0, 1000, 2, 10, .io_bytes = 20 << 20) },
		{ "low=1G,high=2G", P(true, 0, 1000, 2, 10,
				      .low_bytes = 1ull << 30,
				      .high_bytes = 2ull << 30) },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct engine_policy p = ENGINE_POLICY_DEFAULT, want;
		char why[128] = "";
		int rc = engine_policy_parse(t[i].text, &p, why, sizeof(why));

		want = t[i].want;
		/* The default, where the text does not speak of it. */
		if (!strstr(t[i].text, "psi"))
			want.psi_limit = 100;
		ok(!rc && same(&p, &want), "%s", t[i].text);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *text, *says;
	} t[] = {
		{ "", "unknown key ''" },
		{ "On", "unknown key 'On': did you mean 'on'?" },
		{ "on=1", "on='1': 'on' takes no value" },
		{ "on,", "unknown key ''" },
		{ "speed=9",
		  "unknown key 'speed': expected one of on, off, target" },
		{ "targt=1G", "unknown key 'targt': did you mean 'target'?" },
		{ "target", "target=''" },
		{ "target=", "target=''" },
		{ "target=lots", "target='lots'" },
		{ "period=5", "period='5'" },
		{ "period=9ms", "from 10ms to 3600s" },
		{ "period=3601s", "from 10ms to 3600s" },
		{ "period=-5s", "period='-5s'" },
		{ "period=5m", "period='5m'" },
		{ "period=99999999999999999999s", "period='9999" },
		{ "idle=2.5", "idle='2.5'" },
		{ "idle=0", "a number of scans from 1 to 254" },
		{ "idle=255", "a number of scans from 1 to 254" },
		{ "idle=5%", "idle='5%'" },
		{ "idle=-1", "idle='-1'" },
		{ "idle=", "idle=''" },
		{ "prefetch=many", "prefetch='many'" },
		{ "node1=", "node1=''" },
		{ "node8=1G", "unknown key 'node8'" },
		{ "node01=1G", "unknown key 'node01'" },
		{ "cpu=all", "a percentage of one core from 1% to 100%" },
		{ "cpu=101", "a percentage of one core from 1% to 100%" },
		{ "cpu=2.5", "cpu='2.5'" },
		{ "hard", "hard=''" },
		{ "hard=1", "hard='1' is not on or off" },
		{ "hard=onn", "is not on or off: did you mean 'on'?" },
		{ "cpu=10%%", "cpu='10%%'" },
		{ "target=1G,idle=x", "idle='x'" },
		{ "proactive=lots", "proactive='lots'" },
		{ "proactive=-1", "proactive='-1'" },
		{ "proactive=1e9", "proactive='1e9'" },
		{ "psi=", "psi=''" },
		{ "psi=1x", "psi='1x'" },
		{ "psi=100.01", "off or a percentage of time from 0% to 100%" },
		{ "io=fast", "io='fast'" },
		{ "low=", "low=''" },
		{ "high=2Q", "high='2Q'" },
	};
	const struct engine_policy before = P(true, 4096, 77, 3, 9);

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
