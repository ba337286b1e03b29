// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/meminfo and /proc/pressure/memory. */
#include <inttypes.h>
#include <string.h>

#include "guest-agent/agent.h"

bool pressure_read(struct protocol_pressure *p)
{
	struct { const char *name; uint64_t *to; } want[] = {
		{ "MemTotal:", &p->mem_total }, { "MemFree:", &p->mem_free },
		{ "MemAvailable:", &p->mem_available },
		{ "Cached:", &p->cached }, { "Dirty:", &p->dirty },
	};
	char line[256], name[64];
	bool psi = false;
	uint64_t n, total;
	double avg;
	FILE *f;

	*p = (struct protocol_pressure){ 0 };
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		for (int i = 0; i < 5; i++)
			if (sscanf(line, "%63s %" SCNu64, name, &n) == 2 &&
			    !strcmp(name, want[i].name))
				*want[i].to = n * 1024;
	if (f)
		fclose(f);
	f = fopen("/proc/pressure/memory", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s avg10=%lf %*s %*s total=%" SCNu64, name,
			   &avg, &total) != 3 || avg < 0 || avg > 100)
			continue;
		psi = true;
		*(name[0] == 's' ? &p->some_avg10 : &p->full_avg10) = avg * 100;
		*(name[0] == 's' ? &p->some_total_us : &p->full_total_us) =
			total;
	}
	if (f)
		fclose(f);
	return psi;
}
