// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A user of DAMON for abits-inside.sh.
 *
 *   damon-user hold		configures DAMON as we do, and ends well when
 *				its standard input ends
 *   damon-user stop MIB	has so much memory harvested, and asks to stop
 *				when the kdamond has begun: the harvest must
 *				end before all of its turns
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/access/damon/damon-ctl.h"
#include "vmm/access/damon/damon-sysfs.h"
#include "vmm/access/source.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"
#include "vmm/util/log.h"

#define NR_HARVESTS 50

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "damon-user: %s: %s\n", what, why);
	return 1;
}

static int hold(void)
{
	struct damon_ctl *ctl;
	char why[512], c;

	if (damon_ctl_open(&ctl, false, why, sizeof(why)))
		return fail("DAMON", why);
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	damon_ctl_close(ctl);
	return 0;
}

static atomic_bool stopping, harvesting, ended;

/* Sets `stopping` whenever a kdamond is seen to run during a harvest. */
static void *stop_when_on(void *arg)
{
	int dir_fd = open(DAMON_CTL_SYSFS, O_RDONLY | O_DIRECTORY);

	(void)arg;
	while (!ended) {
		if (harvesting && damon_sysfs_running(dir_fd) >= 0)
			stopping = true;
		usleep(200);
	}
	close(dir_fd);
	return NULL;
}

static int stop(unsigned long mib)
{
	struct access_target target = { .vm_fd = -1 };
	struct gfn_range all = { GFN(0), mib << 8 };
	struct access_source *src;
	uint64_t *young = bitmap_new(all.nr);
	pthread_t thread;
	char why[512];
	int rc = 0;

	if (guest_mem_new(&target.mem, mib << 20, GUEST_MEM_ANON) || !young)
		return fail("memory", strerror(errno));
	memset(guest_mem_ptr(target.mem, GPA(0), mib << 20), 1, mib << 20);
	if (access_open(&src, "damon", &target, why, sizeof(why)))
		return fail("damon", why);
	src->stopping = &stopping;
	if (pthread_create(&thread, NULL, stop_when_on, NULL))
		return fail("thread", strerror(errno));
	/* A guest of one turn, or a stop in the last one, ends as if unasked. */
	for (int i = 0; i < NR_HARVESTS && !rc; i++) {
		uint64_t began = clock_now_ns();

		stopping = false;
		harvesting = true;
		rc = src->ops->harvest(src, all, young);
		harvesting = false;
		printf("# harvest %d: %d after %d ms\n", i, rc,
		       (int)((clock_now_ns() - began) / NSEC_PER_MSEC));
	}
	ended = true;
	pthread_join(thread, NULL);
	access_close(src);
	guest_mem_free(target.mem);
	free(young);
	return rc == -ECANCELED ? 0 : fail("stop", "the harvest went on");
}

int main(int argc, char **argv)
{
	log_set_level(LOG_LEVEL_DEBUG);
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	if (argc == 3 && !strcmp(argv[1], "stop"))
		return stop(strtoul(argv[2], NULL, 10));
	return fail("usage", "damon-user hold | damon-user stop MIB");
}
