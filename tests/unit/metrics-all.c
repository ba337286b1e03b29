// SPDX-License-Identifier: GPL-2.0-or-later
/* Several VMs' metrics in one text. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/tap.h"
#include "vmm/client/metrics-all.h"

static const struct metrics_vm vms[] = {
	{ "a", "/nonexistent/a" }, { "b", "/nonexistent/b" },
	{ "c", "/nonexistent/c" },
};

#define UP "# TYPE vmm_up gauge\n# HELP vmm_up Whether the VM answered.\n"

static void merges(const char *a, const char *b, const char *c,
		   const char *want, const char *name)
{
	const char *const texts[] = { a, b, c };
	char *text = metrics_merge(vms, texts, 3);

	if (!ok(text && !strcmp(text, want), "%s", name))
		printf("# got:\n# %s\n", text ? text : "nothing");
	free(text);
}

int main(void)
{
	char *text;

	merges("# TYPE x gauge\n# HELP x Size.\nx{vm=\"a\"} 1\n# TYPE y counter\n"
	       "# HELP y Much.\ny_total{vm=\"a\"} 2\n# EOF\n",
	       "# TYPE x gauge\n# HELP x Size.\nx{vm=\"b\"} 3\n# EOF\n", NULL,
	       UP "vmm_up{vm=\"a\"} 1\nvmm_up{vm=\"b\"} 1\nvmm_up{vm=\"c\"} 0\n"
	       "# TYPE x gauge\n# HELP x Size.\nx{vm=\"a\"} 1\nx{vm=\"b\"} 3\n"
	       "# TYPE y counter\n# HELP y Much.\ny_total{vm=\"a\"} 2\n# EOF\n",
	       "families are told once, with all samples together");
	merges("# EOF\n", "", "x 1\nno sense\n",
	       UP "vmm_up{vm=\"a\"} 1\nvmm_up{vm=\"b\"} 1\nvmm_up{vm=\"c\"} 1\n"
	       "# EOF\n", "what belongs to no family is left out");
	merges("# TYPE x gauge\nx 1", "# TYPE xy gauge\nxy 2\n",
	       "# TYPE x gauge\nx 3\n",
	       UP "vmm_up{vm=\"a\"} 1\nvmm_up{vm=\"b\"} 1\nvmm_up{vm=\"c\"} 1\n"
	       "# TYPE x gauge\nx 1\nx 3\n# TYPE xy gauge\nxy 2\n# EOF\n",
	       "names are compared whole");
	text = metrics_all(vms, 3, 1000);
	ok(text && !strcmp(text, UP "vmm_up{vm=\"a\"} 0\nvmm_up{vm=\"b\"} 0\n"
			   "vmm_up{vm=\"c\"} 0\n# EOF\n"),
	   "VMs that are not there are down");
	free(text);
	text = metrics_merge(&(struct metrics_vm){ "a\"b\\\n", "/x" },
			     (const char *const[]){ NULL }, 1);
	ok(text && !strcmp(text, UP "vmm_up{vm=\"a\\\"b\\\\\\n\"} 0\n# EOF\n"),
	   "a quote, backslash and newline in a name are escaped");
	free(text);
	text = metrics_all(vms, 0, 1000);
	ok(text && !strcmp(text, "# EOF\n"), "no VM, no family");
	free(text);
	return tap_done();
}
