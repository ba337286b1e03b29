// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Iterates over tasks and writes the page table root of each process.  Only the
 * members named here are looked up in the guest kernel's BTF, by the loader
 * program that bpftool puts around this one; so one object serves all kernels.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "guest-agent/pgd_record.h"

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

/* Where the variable page_offset_base is, by /proc/kallsyms. */
const volatile __u64 page_offset_base;

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct pgd_record r = { 0 };
	unsigned long direct_map = 0;
	struct mm_struct *mm;

	if (!task)
		return 0;
	mm = task->mm;
	/* Kernel threads.  A leader may end before its threads. */
	if (!mm || (task->pid != task->tgid && task->group_leader->mm))
		return 0;
	if (bpf_probe_read_kernel(&direct_map, sizeof(direct_map),
				  (const void *)page_offset_base))
		return 0;
	r.direct_map = direct_map;
	r.pgd = (unsigned long)mm->pgd;
	r.pid = task->tgid;
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}
