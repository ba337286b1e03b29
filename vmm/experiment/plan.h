/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The description of an experiment, read from its JSON file;
 * docs/experiments.md describes the members.  All that can be checked without
 * running it is checked here.
 */
#ifndef VMM_EXPERIMENT_PLAN_H
#define VMM_EXPERIMENT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define PLAN_MAX_GUESTS	  64	/* in total, by their counts */
#define PLAN_MAX_POLICIES 16
#define PLAN_MAX_LIMITS	  32
#define PLAN_MAX_OPTIONS  32	/* of vmm run, words */

enum plan_guest_kind {
	PLAN_PAYLOAD,	/* the bare-metal guest with known patterns */
	PLAN_LINUX,	/* a kernel and initrd that print the same lines */
};

/* Strings of all structures here belong to the plan's JSON. */
struct plan_guest {
	enum plan_guest_kind kind;
	const char *kernel, *initrd, *cmdline;	/* or NULL */
	uint64_t mem_bytes;
	uint64_t cpus;
	const char *options[PLAN_MAX_OPTIONS];
	unsigned int nr_options;
	char words[512];	/* of the workload, for the command line */
};

enum plan_policy_kind {
	PLAN_NONE,		/* all memory, no scans */
	PLAN_LINUX_SWAP,	/* a memory cgroup's limit, the kernel reclaims */
	PLAN_BALLOON,		/* the guest returns what is over the limit */
	PLAN_VMM,		/* this project's engine */
};

struct plan_policy {
	const char *name;
	enum plan_policy_kind kind;
	const char *abits, *reclaim, *sink;	/* or NULL: the default */
	bool no_target;		/* the limit is not passed as target= */
	bool cgroup;		/* the limit is also the cgroup's */
	bool high;		/* memory.high, not memory.max (cgroup v2) */
	uint64_t target_percent;	/* of the limit */
};

struct plan_limit {
	const char *text;	/* as in the file */
	uint64_t bytes;		/* of all guests together */
};

struct plan {
	const char *name, *about;
	uint64_t seconds, warmup_s, repetitions, sample_ms, timeout_s, seed;
	struct plan_guest guests[PLAN_MAX_GUESTS];
	unsigned int nr_guests;
	struct plan_policy policies[PLAN_MAX_POLICIES];
	unsigned int nr_policies;
	struct plan_limit limits[PLAN_MAX_LIMITS];
	unsigned int nr_limits;
	uint64_t mem_bytes;	/* of all guests together */
	json_t *root;		/* owned */
	bool quick;
};

/* Values from the command line that replace the file's; 0 and NULL: unset. */
struct plan_override {
	bool quick;
	uint64_t repetitions, seconds;
	const char *kernel, *initrd;
};

/*
 * Reads and checks.  -errno with why, "FILE:LINE: ..." if a line is known; then
 * the plan owns nothing.
 */
int plan_load(struct plan *plan, const char *file,
	      const struct plan_override *override, char *why, size_t len);
void plan_free(struct plan *plan);

#endif
