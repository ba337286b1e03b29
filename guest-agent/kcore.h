/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds tasks and their page table roots in an ELF image of kernel memory such
 * as /proc/kcore.  The offsets of members of task_struct and mm_struct differ
 * between kernels and are not documented anywhere.  They are derived from tasks
 * with known values, and used only if all of this holds:
 *
 *   mm->pgd	the only place in init_mm that has swapper_pg_dir
 *   comm	"swapper" in init_task, "kthreadd" in one, our own name in ours
 *   tasks	the list that leads from init_task, through tasks, back to it,
 *		with correct backward links
 *   tgid	pid and tgid are adjacent: 0, 0 in init_task, 2, 2 in kthreadd,
 *		our pid twice in our task; at no other offset is this so
 *   mm		NULL in init_task and in kthreadd, and in our task a structure
 *		that has at pgd a page-aligned address of the direct map; at no
 *		other offset is this so, except at the next one, active_mm
 */
#ifndef GUEST_AGENT_KCORE_H
#define GUEST_AGENT_KCORE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KCORE_MAX_SEGMENTS 256
#define KCORE_TASK_BYTES   4096	/* bytes of a task_struct examined */
#define KCORE_MM_BYTES	   1024

struct kcore {
	int fd;			/* not owned */
	Elf64_Phdr segments[KCORE_MAX_SEGMENTS];
	unsigned int nr;
	uint64_t init_task, init_mm;	/* addresses, set by the caller */
	uint64_t direct_map;		/* start address, set by the caller */
	uint32_t tasks, tgid, mm, pgd, comm;	/* offsets found */
};

/* Known values, against which a layout is verified. */
struct kcore_known {
	uint64_t swapper_pg_dir;
	uint64_t nr_frames;
	pid_t pid;		/* of this process */
	char name[17];		/* of this process, as in /proc/self/comm */
};

/* Reads the program headers from k->fd.  0 or -errno. */
int kcore_read_segments(struct kcore *k);
/* The eight bytes at a kernel address; 0 if they can't be read. */
uint64_t kcore_word(const struct kcore *k, uint64_t address);
/* Sets the offsets.  NULL, or the name of the member that was not verified. */
const char *kcore_find_layout(struct kcore *k, const struct kcore_known *known);
/*
 * Calls fn with each process and the kernel's address of its top page table,
 * until fn returns non-zero, which is then returned.  -EAGAIN: a task ended
 * during the walk; the results until then are valid.
 */
int kcore_each(const struct kcore *k,
	       int (*fn)(void *arg, pid_t pid, uint64_t pgd), void *arg);

#endif
