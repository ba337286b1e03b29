/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's values in `vmm top`: its memory, its swap, its pressure. */
#ifndef VMM_TOP_HOST_H
#define VMM_TOP_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct top_host {
	uint64_t mem_total, mem_available, swap_total, swap_free;	/* bytes */
	bool has_psi;
	double psi_some, psi_full;	/* percent of the last 10 s */
};

/* Texts of /proc/meminfo and /proc/pressure/memory; each may be NULL. */
void top_host_parse(const char *meminfo, const char *pressure,
		    struct top_host *host);
void top_host_read(struct top_host *host);

#endif
