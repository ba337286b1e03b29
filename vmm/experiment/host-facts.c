// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/experiment/host-facts.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/json-text.h"
#include "vmm/util/small-file.h"

/* The first line, or the rest of the first line that begins with key. */
static void add(json_t *facts, const char *name, const char *file,
		const char *key)
{
	char text[201];
	int rc = key ? small_file_field(file, key, text, sizeof(text)) :
		       small_file_line(file, text, sizeof(text));

	if (!rc)
		json_object_set_new(facts, name, json_text_new(text));
}

/* /proc/swaps: name, type, KiB, used, priority. */
static void add_swap(json_t *facts)
{
	__cleanup_fclose FILE *f = fopen("/proc/swaps", "re");
	char line[512], name[256], text[256] = "";
	unsigned long long kib;
	size_t n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s %*s %llu", name, &kib) != 2 ||
		    n >= sizeof(text))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %llu MiB",
				      n ? ", " : "", name, kib >> 10);
	}
	json_object_set_new(facts, "swap", json_text_new(n ? text : "none"));
}

json_t *host_facts(void)
{
	json_t *facts = json_object();
	struct utsname uts;

	if (!uname(&uts))
		json_object_set_new(facts, "kernel", json_string(uts.release));
	add(facts, "cpu", "/proc/cpuinfo", "model name\t:");
	json_object_set_new(facts, "cpus",
			    json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	add(facts, "memory", "/proc/meminfo", "MemTotal:");
	add_swap(facts);
	add(facts, "zram codec", "/sys/block/zram0/comp_algorithm", NULL);
	add(facts, "zswap", "/sys/module/zswap/parameters/enabled", NULL);
	add(facts, "swappiness", "/proc/sys/vm/swappiness", NULL);
	add(facts, "huge pages", "/sys/kernel/mm/transparent_hugepage/enabled",
	    NULL);
	add(facts, "multi-gen LRU", "/sys/kernel/mm/lru_gen/enabled", NULL);
	json_object_set_new(facts, "vmm", json_string(PACKAGE_VERSION));
	return facts;
}
