// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A harvest of a large guest takes long.  A stop does not wait for its end: the
 * engine cancels it in the source, and does not report it as an error.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "tests/tap.h"
#include "tests/unit/stderr-lines.h"
#include "vmm/access/source.h"
#include "vmm/engine/engine.h"
#include "vmm/util/clock.h"

#define NR 1024u		/* frames */

static atomic_uint nr_begun, nr_stopped;

/* One that ends by itself much later. */
static int harvest(struct access_source *src, struct gfn_range range,
		   uint64_t *young)
{
	uint64_t end = clock_now_ns() + 60 * NSEC_PER_SEC;

	(void)range;
	(void)young;
	nr_begun++;
	while (clock_now_ns() < end) {
		if (access_is_stopping(src)) {
			nr_stopped++;
			return -ECANCELED;
		}
		usleep(1000);
	}
	return -EIO;
}

static const struct access_source_ops ops = {
	.name = "slow", .harvest = harvest,
};

int main(void)
{
	struct access_source source = { .ops = &ops, .granule_pages = 1 };
	struct engine_config config = {
		.source = &source,
		.policy = { .scan_period_ms = 10, .min_idle_scans = 2,
			    .cpu_percent = 100 },
	};
	struct engine *engine;

	catch_stderr();
	if (guest_mem_new(&config.mem, NR << VMM_PAGE_SHIFT, GUEST_MEM_ANON) ||
	    view_new(&config.view, config.mem) || engine_new(&engine, &config))
		tap_bail("no engine");
	while (!nr_begun)
		usleep(1000);
	ok(!access_is_stopping(&source), "a harvest is under way");
	engine_free(engine);
	is_int(nr_stopped, 1, "the end of the engine ended it");
	is_int(nr_begun, 1, "and no other began");
	is_int(count_lines("again"), 0, "nothing is said");
	forget_lines();
	ok(!source.stopping, "the source keeps nothing of the engine");
	view_free(config.view);
	guest_mem_free(config.mem);
	return tap_done();
}
