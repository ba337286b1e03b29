// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A user of DAMON for abits-inside.sh.
 *
 *   damon-user hold		configures DAMON as we do, and ends well when
 *				its standard input ends
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/access/damon_ctl.h"
#include "vmm/util/log.h"

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

int main(int argc, char **argv)
{
	log_set_level(LOG_LEVEL_DEBUG);
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	return fail("usage", "damon-user hold");
}
