/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The roots of processes' page tables (mm->pgd), as guest physical addresses,
 * so that the host can read accessed bits for each process.  The kernel has no
 * interface for them, so they are found in one of two ways, both for root only:
 *
 *   bpf     a BPF iterator over tasks; needs BTF (/sys/kernel/btf/vmlinux) and
 *           Linux 5.16; the start of the direct map is found by a search and
 *           verified with the agent's own page tables
 *   kcore   /proc/kcore and /proc/kallsyms; the layout of a task is derived
 *           from known tasks and verified with them
 *
 * If neither works, the agent sends everything else.
 */
#ifndef GUEST_AGENT_PGD_H
#define GUEST_AGENT_PGD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pgd_entry {
	pid_t pid;
	uint64_t pgd;
};

struct pgds;

struct pgd_method {
	const char *name;
	/* 0 or -errno with why: it does not work here. */
	int (*open)(struct pgds *p, char *why, size_t len);
	/* Calls pgd_add() for each process.  0; -EAGAIN: read again; -errno. */
	int (*read)(struct pgds *p);
	void (*close)(struct pgds *p);
};

struct pgds {
	const struct pgd_method *method;	/* NULL: none */
	void *state;			/* of the method; owned by it */
	bool la57;			/* tables have five levels */
	uint64_t nr_frames;		/* of RAM; higher ones are not tables */
	struct pgd_entry *entries;	/* owned; by pid, after a read */
	size_t nr, max;
};

extern const struct pgd_method pgd_bpf, pgd_kcore;

/*
 * Chooses the method of that name ("bpf", "kcore" or "none"), or the first that
 * works if name is NULL.  If none does, p->method is NULL and why has the
 * reason for each.
 */
void pgds_init(struct pgds *p, uint64_t nr_frames, const char *name, char *why,
	       size_t len);
void pgds_destroy(struct pgds *p);
/* Reads the roots of all processes again; after a failure none is known. */
void pgds_read(struct pgds *p);
/* The guest physical address of pid's root; PROTOCOL_NO_PGD: unknown. */
uint64_t pgds_find(const struct pgds *p, pid_t pid);

/*
 * For the methods: adds a process and its root, a guest physical address.  One
 * that can't be a table's (not aligned, not RAM) is ignored.  0 or -ENOMEM.
 */
int pgd_add(struct pgds *p, pid_t pid, uint64_t pgd);
/* Whether page tables have five levels, by the start of the direct map. */
bool pgd_is_la57(uint64_t direct_map);

#endif
