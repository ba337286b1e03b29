// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "guest-agent/pgd-record.h"
#include "guest-agent/pgd.h"

#define NR_TRIES 5

void pgds_destroy(struct pgds *p)
{
	if (p->method)
		p->method->close(p);
	free(p->entries);
	memset(p, 0, sizeof(*p));
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct pgd_entry *)a)->pid;
	pid_t y = ((const struct pgd_entry *)b)->pid;

	return (x > y) - (x < y);
}

void pgds_read(struct pgds *p)
{
	int rc = p->method ? -EAGAIN : 0;

	p->nr = 0;
	/* Processes start and end while they are read. */
	for (int i = 0; rc == -EAGAIN && i < NR_TRIES; i++) {
		p->nr = 0;
		rc = p->method->read(p);
	}
	if (rc)
		p->nr = 0;
	if (p->nr)
		qsort(p->entries, p->nr, sizeof(*p->entries), by_pid);
}

uint64_t pgds_find(const struct pgds *p, pid_t pid)
{
	const struct pgd_entry key = { .pid = pid }, *found = NULL;

	if (p->nr)
		found = bsearch(&key, p->entries, p->nr, sizeof(key), by_pid);
	return found ? found->pgd : PROTOCOL_NO_PGD;
}

/* True: the method works, as it finds our own process. */
static bool try_method(struct pgds *p, const struct pgd_method *method,
		       char *why, size_t len)
{
	if (method->open(p, why, len))
		return false;
	p->method = method;
	pgds_read(p);
	if (pgds_find(p, getpid()) != PROTOCOL_NO_PGD)
		return true;
	snprintf(why, len, "it does not find the agent's own process");
	method->close(p);
	p->method = NULL;
	p->la57 = false;
	p->nr = 0;
	return false;
}

void pgds_init(struct pgds *p, uint64_t nr_frames, const char *name, char *why,
	       size_t len)
{
	static const struct pgd_method *const methods[] = { &pgd_bpf,
							    &pgd_kcore };
	size_t at = 0;

	memset(p, 0, sizeof(*p));
	p->nr_frames = nr_frames;
	why[0] = 0;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char reason[160] = "";

		if (name && strcmp(name, methods[i]->name))
			continue;
		if (try_method(p, methods[i], reason, sizeof(reason)))
			return;
		if (at < len)
			at += snprintf(why + at, len - at, "%s%s: %s",
				       at ? "; " : "", methods[i]->name,
				       reason);
	}
}

int pgd_add(struct pgds *p, pid_t pid, uint64_t pgd)
{
	if (pgd % PROTOCOL_PAGE_SIZE ||
	    pgd / PROTOCOL_PAGE_SIZE >= p->nr_frames)
		return 0;
	if (array_grow((void **)&p->entries, p->nr, &p->max,
		       sizeof(*p->entries)))
		return -ENOMEM;
	p->entries[p->nr++] = (struct pgd_entry){ pid, pgd };
	return 0;
}

bool pgd_is_la57(uint64_t direct_map)
{
	return direct_map < PGD_KERNEL_HALF_4_LEVELS;
}
