// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vmm/control/resident-count.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/clock.h"
#include "vmm/util/cond.h"
#include "vmm/util/thread.h"

#define CPU_SHARE 10	/* 1/10 of one CPU */

struct resident_count {
	const struct guest_mem *mem;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	bool stopping;			/* this and below: under lock */
	bool counting;			/* requested, or in progress */
	bool complete;			/* a count has succeeded */
	uint64_t next_ns;		/* no count starts before this time */
	struct resident_figure figure;
};

/* Publishes a part of the count.  False: stop counting. */
static bool publish_part(struct resident_count *c,
		      const struct resident_figure *part)
{
	bool go_on;

	pthread_mutex_lock(&c->lock);
	if (!c->complete)
		c->figure = *part;
	go_on = !c->stopping;
	pthread_mutex_unlock(&c->lock);
	return go_on;
}

/* 0: all pages were counted; -ECANCELED: stopping; or another -errno. */
static int count_all(struct resident_count *c, struct resident_figure *found)
{
	uint64_t nr = guest_mem_nr_frames(c->mem), end;
	__cleanup_free uint64_t *resident = bitmap_new(nr);
	__cleanup_free uint64_t *swapped = bitmap_new(nr);
	int rc;

	*found = (struct resident_figure){ 0 };
	if (!resident || !swapped)
		return -ENOMEM;
	for (uint64_t g = 0; g < nr; g = end) {
		end = nr - g < RESIDENT_SLICE ? nr : g + RESIDENT_SLICE;
		rc = guest_mem_residency(c->mem,
					 (struct gfn_range){ GFN(g), end - g },
					 resident, swapped);
		if (rc)
			return rc;
		found->nr_resident += bitmap_count(resident, g, end);
		found->nr_swapped += bitmap_count(swapped, g, end);
		if (!publish_part(c, found))
			return -ECANCELED;
	}
	return 0;
}

static uint64_t pause_ns(uint64_t cpu_ns)
{
	uint64_t ns = (CPU_SHARE - 1) * cpu_ns;

	return ns > RESIDENT_PAUSE_NS ? ns : RESIDENT_PAUSE_NS;
}

static void *run(void *arg)
{
	struct resident_count *c = arg;
	struct resident_figure found;
	uint64_t cpu_ns;
	int rc;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->counting && !c->stopping)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->stopping)
			break;
		pthread_mutex_unlock(&c->lock);
		cpu_ns = clock_thread_cpu_ns();
		rc = count_all(c, &found);
		cpu_ns = clock_thread_cpu_ns() - cpu_ns;
		pthread_mutex_lock(&c->lock);
		/* If it failed, the previous figure is the better one. */
		if (!rc) {
			c->figure = found;
			c->complete = true;
		}
		c->counting = false;
		c->next_ns = clock_now_ns() + pause_ns(cpu_ns);
		pthread_cond_broadcast(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void destroy(struct resident_count *c)
{
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int resident_count_new(struct resident_count **countp,
		       const struct guest_mem *mem)
{
	struct resident_count *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->mem = mem;
	pthread_mutex_init(&c->lock, NULL);
	cond_init(&c->wake);
	cond_init(&c->done);
	rc = thread_start(&c->thread, run, c);
	if (rc) {
		destroy(c);
		return rc;
	}
	*countp = c;
	return 0;
}

void resident_count_free(struct resident_count *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	destroy(c);
}

void resident_count_get(struct resident_count *c, uint64_t wait_ns,
			struct resident_figure *figure)
{
	uint64_t now = clock_now_ns();

	pthread_mutex_lock(&c->lock);
	if (!c->counting && now >= c->next_ns) {
		c->counting = true;
		pthread_cond_signal(&c->wake);
		while (c->counting && !cond_wait_until(&c->done, &c->lock,
						       now + wait_ns))
			;
	}
	*figure = c->figure;
	pthread_mutex_unlock(&c->lock);
}
