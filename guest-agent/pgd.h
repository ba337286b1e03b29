/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The roots of processes' page tables (mm->pgd), as guest physical addresses,
 * so that the host can read accessed bits by process.  The kernel tells them to
 * nobody, so they are had by one of two ways, both of root only:
 *
 *   BPF     an iterator over tasks; needs BTF (/sys/kernel/btf/vmlinux) and
 *           Linux 5.16; where RAM is mapped is proved on our own page tables
 *   kcore   /proc/kcore and /proc/kallsyms; where things are in a task is found
 *           out and proved on tasks that are known
 *
 * Without either, all else that the agent tells is told.
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

struct pgd_way {
	const char *name;
	/* 0 or -errno with why: it can't serve here. */
	int (*open)(struct pgds *p, char *why, size_t len);
	/* pgd_add() for each process.  0 or -errno; -EAGAIN: try anew. */
	int (*read)(struct pgds *p);
	void (*close)(struct pgds *p);
};

struct pgds {
	const struct pgd_way *way;	/* NULL: none */
	void *state;			/* of the way */
	bool la57;			/* tables have five levels */
	uint64_t nr_frames;		/* of RAM: beyond is no table */
	struct pgd_entry *entries;	/* owned; by pid, once read */
	size_t nr, max;
};

extern const struct pgd_way pgd_bpf, pgd_kcore;

/*
 * name: "bpf", "kcore", "none", or NULL: the first that serves.  When none
 * does, p->way is NULL and why says of each why not.
 */
void pgds_init(struct pgds *p, uint64_t nr_frames, const char *name, char *why,
	       size_t len);
void pgds_destroy(struct pgds *p);
/* Reads all anew; when that fails, none is known. */
void pgds_read(struct pgds *p);
/* PROTOCOL_NO_PGD: not known. */
uint64_t pgds_find(const struct pgds *p, pid_t pid);

/*
 * For the ways.  What is no table's address (not aligned, not RAM) is left
 * out.  0 or -ENOMEM.
 */
int pgd_add(struct pgds *p, pid_t pid, uint64_t pgd);
/* Where the kernel maps RAM says how many levels there are. */
bool pgd_is_la57(uint64_t direct_map);

#endif
