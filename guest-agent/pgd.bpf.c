// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Iterates over tasks and writes the page table root of each process.  The
 * structs below name only the members used; the loader program that bpftool
 * generates finds their offsets in the guest kernel's BTF, so one object serves
 * all kernels.
 *
 * The roots are addresses in the kernel's direct map of RAM.  Its start (base)
 * is in a kernel variable that /proc/kallsyms does not have on every kernel.
 * So it is found by search, and verified: only with the right base does a walk
 * of our own page tables lead to the known frames of our pages.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "guest-agent/pgd-record.h"

char LICENSE[] SEC("license") = "GPL";

#define KERNEL_TYPE __attribute__((preserve_access_index))

struct mm_struct {
	void *pgd;
} KERNEL_TYPE;

struct task_struct {
	struct mm_struct *mm;
	int pid, tgid;
	struct task_struct *group_leader;
} KERNEL_TYPE;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL_TYPE;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL_TYPE;

#define ENTRY_PRESENT 1ULL
#define ENTRY_ADDRESS 0x000ffffffffff000ULL
#define ENTRY_HUGE    0x80ULL

/* Written by user space before each run of find_base. */
struct pgd_probe probe;

/* A task without mm is a kernel thread. */
static __always_inline bool fill(struct pgd_record *r, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;

	/* A group leader may end before its threads. */
	if (!mm || (task->pid != task->tgid && task->group_leader->mm))
		return false;
	r->pgd = (unsigned long)mm->pgd;
	r->pid = task->tgid;
	return true;
}

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pgd_record r = { 0 };

	if (task && fill(&r, task))
		bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

/*
 * Whether a walk of the page tables at pgd leads from address to the frame.
 * With a wrong base it reads arbitrary addresses, which fails or gives garbage.
 */
static __always_inline bool leads_to(__u64 pgd, __u64 base, __u64 address,
				     __u64 frame)
{
	__u64 table = pgd, entry;
	int levels = base < PGD_KERNEL_HALF_4_LEVELS ? 5 : 4;

	for (int level = 5; level > 0; level--) {
		__u64 index = (address >> (12 + 9 * (level - 1))) & 511;

		if (level > levels)
			continue;
		if (bpf_probe_read_kernel(&entry, sizeof(entry),
					  (const void *)(table + 8 * index)) ||
		    !(entry & ENTRY_PRESENT))
			return false;
		if (level == 1)
			return (entry & ENTRY_ADDRESS) >> 12 == frame;
		if (entry & ENTRY_HUGE)
			return false;
		table = base + (entry & ENTRY_ADDRESS);
	}
	return false;
}

SEC("iter/task")
int find_base(struct bpf_iter__task *ctx)
{
	struct pgd_base answer = { 0 };

	/* Once, after the last task: then the reader is the current task. */
	if (ctx->task || !fill(&answer.own, bpf_get_current_task_btf()))
		return 0;
	for (int i = 0; i < PGD_STEP_BASES; i++) {
		__u64 base = probe.first_base + i * PGD_BASE_ALIGN;
		int fit = 0;

		if (base >= probe.end_base)
			break;
		for (int k = 0; k < PGD_NR_PROBES; k++)
			fit += leads_to(answer.own.pgd, base, probe.address[k],
					probe.frame[k]);
		if (fit == PGD_NR_PROBES) {
			answer.base = base;
			break;
		}
	}
	bpf_seq_write(ctx->meta->seq, &answer, sizeof(answer));
	return 0;
}
