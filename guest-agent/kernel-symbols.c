// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest-agent/kernel-symbols.h"

int kernel_symbols(struct kernel_symbol *symbols, size_t nr)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[128];
	size_t missing = nr;

	if (!f)
		return -errno;
	while (missing && fgets(line, sizeof(line), f)) {
		unsigned long long address;

		/* Skips symbols of modules: "address type name [module]". */
		if (strchr(line, '[') ||
		    sscanf(line, "%llx %*c %127s", &address, name) != 2)
			continue;
		for (size_t i = 0; i < nr; i++)
			if (!strcmp(symbols[i].name, name) &&
			    !symbols[i].address) {
				symbols[i].address = address;
				missing--;
			}
	}
	fclose(f);
	return 0;
}
