// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An engine that is paused, or set to evict nothing, in the middle of a batch:
 * the sink is not called for the rest of it, and the pausing thread waits for
 * the call in progress.  The sink is the test's: it drops pages, and its call
 * ends when the engine has been told.
 */
#include "config.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define NR 16384	/* a batch of four calls of the sink */
#define PER_CALL 4096
#include "tests/tap.h"
#include "tests/unit/engine-vm.h"
#include "vmm/engine/engine-internal.h"

static struct vm vm;
static sem_t called;		/* the sink is in its call, */
static sem_t go_on;		/* and ends it once the engine is told */
static atomic_uint nr_calls, nr_late;
static atomic_bool held;	/* engine_pause() has returned */

static bool is_told(void)
{
	bool told;

	engine_lock(vm.engine);
	told = !engine_may_evict(vm.engine);
	engine_unlock(vm.engine);
	return told;
}

static int drop(struct reclaim_sink *s, const struct gfn_range *ranges,
		size_t nr, struct reclaim_result *res)
{
	if (nr_calls++ == 0) {
		sem_post(&called);
		while (sem_wait(&go_on))
			;
		while (!is_told())
			usleep(1000);
		/* Time enough for one that does not wait. */
		usleep(200000);
	}
	nr_late += held;
	for (size_t i = 0; i < nr; i++)
		if (madvise(page(&vm, ranges[i].start.v), ranges[i].nr * PAGE,
			    MADV_DONTNEED))
			return -EIO;
	return 0;
}

static void close_nothing(struct reclaim_sink *s)
{
}

static const struct reclaim_sink_ops drop_ops = {
	.name = "drop", .evict = drop, .close = close_nothing,
};
static struct reclaim_sink sink = { .ops = &drop_ops };

/* Until the sink is in the first call of a batch.  Returns the scans until then. */
static unsigned long begin(void)
{
	unsigned long nr_scans;

	nr_calls = nr_late = 0;
	held = false;
	vm_prepare(&vm, HOT);
	vm.sink->ops->close(vm.sink);
	vm.sink = &sink;
	vm.fake->cost = ACCESS_COST_RMAP;	/* a whole batch at a time */
	vm_start(&vm, NR_HOT);
	while (sem_wait(&called))
		;
	pthread_mutex_lock(&vm.lock);
	nr_scans = vm.nr_scans;
	pthread_mutex_unlock(&vm.lock);
	return nr_scans;
}

static void wait_scan(unsigned long nr_scans)
{
	pthread_mutex_lock(&vm.lock);
	while (vm.nr_scans == nr_scans)
		pthread_cond_wait(&vm.scanned, &vm.lock);
	pthread_mutex_unlock(&vm.lock);
}

static void test_held(void)
{
	unsigned long nr_scans = begin();
	uint64_t nr_evicted;

	sem_post(&go_on);
	engine_pause(vm.engine, true);
	held = true;
	nr_evicted = stats_of(&vm).reclaim.nr_evicted;
	is_int(nr_evicted, PER_CALL, "held: what was under way is counted");
	wait_scan(nr_scans);
	is_int(nr_calls, 1, "the rest of the batch is not evicted");
	is_int(nr_late, 0, "nothing is when it is held");
	is_int(stats_of(&vm).reclaim.nr_evicted, nr_evicted,
	       "nor counted later");
	engine_pause(vm.engine, false);
	held = false;
	wait_scans(&vm, 2);
	is_int(resident(&vm, NR_HOT, NR - 1), 0, "let go: the rest goes");
	vm_stop(&vm);
}

static void test_told(void)
{
	unsigned long nr_scans = begin();

	set_target(&vm, 0);
	sem_post(&go_on);
	wait_scan(nr_scans);
	is_int(nr_calls, 1, "told to evict nothing: the rest of the batch stays");
	is_int(stats_of(&vm).reclaim.nr_evicted, PER_CALL, "all of it");
	vm_stop(&vm);
}

int main(void)
{
	sem_init(&called, 0, 0);
	sem_init(&go_on, 0, 0);
	test_held();
	test_told();
	return tap_done();
}
