// SPDX-License-Identifier: GPL-2.0-or-later
/* The self-test of sinks, on sinks that report wrongly, fail, or work. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/sink/sink.h"

/* What the sink below is to do. */
static struct {
	int open_err, evict_err;
	unsigned int nr_evicted;	/* as it says */
	bool damages;			/* one bit of the last page */
} plan;

static struct {
	struct reclaim_sink sink;	/* first */
	struct guest_mem *mem;
} fake;
static int nr_open;
static uint64_t nr_asked;
static unsigned int nr_calls;

static int fake_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
		     const char *options, char *why, size_t len)
{
	if (options)
		tap_bail("the self-test asks for no options");
	if (plan.open_err) {
		snprintf(why, len, "it is broken: mend it");
		return plan.open_err;
	}
	nr_open++;
	fake.mem = mem;
	*sinkp = &fake.sink;
	return 0;
}

static int fake_evict(struct reclaim_sink *sink, const struct gfn_range *ranges,
		      size_t nr, struct reclaim_result *res)
{
	gfn_t last = { ranges[nr - 1].start.v + ranges[nr - 1].nr - 1 };
	unsigned char *page = guest_mem_ptr(fake.mem, gfn_to_gpa(last),
					    VMM_PAGE_SIZE);

	nr_calls++;
	nr_asked = 0;
	for (size_t i = 0; i < nr; i++)
		nr_asked += ranges[i].nr;
	if (plan.damages)
		page[VMM_PAGE_SIZE - 1] ^= 0x40;
	res->tried += nr_asked;
	/* One that looks finds all young the first time. */
	if (!sink->ops->rechecks_accessed || nr_calls % 2 == 0)
		res->evicted += plan.nr_evicted;
	return plan.evict_err;
}

static void fake_close(struct reclaim_sink *sink)
{
	(void)sink;
	nr_open--;
}

static const struct reclaim_sink_ops fake_ops = {
	.name = "fake", .open = fake_open, .evict = fake_evict,
	.close = fake_close,
};

static const struct reclaim_sink_ops looking_ops = {
	.name = "looking", .rechecks_accessed = true, .open = fake_open,
	.evict = fake_evict, .close = fake_close,
};

static void try_plan_of(const struct reclaim_sink_ops *ops, const char *what,
			int want, const char *want_why)
{
	char why[256] = "";

	is_int(sink_selftest(ops, NULL, why, sizeof(why)), want, what);
	if (!ok(strstr(why, want_why), "%s: \"%s\"", what, want_why))
		printf("# got \"%s\"\n", why);
	is_int(nr_open, 0, "it is closed again");
	memset(&plan, 0, sizeof(plan));
}

static void try_plan(const char *what, int want, const char *want_why)
{
	try_plan_of(&fake_ops, what, want, want_why);
}

/* Of this host: what it says of swap and store is for doctor to show. */
static void test_real(const struct reclaim_sink_ops *ops)
{
	char why[256] = "";
	int rc = sink_selftest(ops, NULL, why, sizeof(why));

	if (rc < 0) {
		ok(*why, "%s does not serve, and says why", ops->name);
		printf("# %s\n", why);
	} else {
		ok(rc > 0 && rc <= SINK_SELFTEST_PAGES,
		   "%s took %d pages and gave them back", ops->name, rc);
	}
}

int main(void)
{
	fake.sink.ops = &fake_ops;
	plan.nr_evicted = SINK_SELFTEST_PAGES;
	try_plan("all pages go", SINK_SELFTEST_PAGES, "");
	is_int(nr_asked, SINK_SELFTEST_PAGES, "all were asked for");
	plan.nr_evicted = 1;
	try_plan("one page goes", 1, "");
	try_plan("none goes", -ENOSPC, "none of 512");
	plan.nr_evicted = SINK_SELFTEST_PAGES;
	plan.damages = true;
	try_plan("a bit of the last page is lost", -EIO, "damaged");
	plan.evict_err = -ENOMEM;
	try_plan("it fails", -ENOMEM, "cannot evict pages: Cannot allocate");
	plan.evict_err = -ENOMEM;
	plan.damages = true;
	try_plan("it fails and damages", -EIO, "damaged");
	plan.open_err = -EPERM;
	try_plan("it does not open", -EPERM, "it is broken: mend it");
	fake.sink.ops = &looking_ops;
	nr_calls = 0;
	plan.nr_evicted = 5;
	try_plan_of(&looking_ops, "one that looks gets a second turn", 5, "");
	is_int(nr_calls, 2, "and no third");
	test_real(&sink_swap);
	test_real(&sink_store);
	test_real(&sink_damon);
	return tap_done();
}
