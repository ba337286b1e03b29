// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records which pages of one process had their second-level accessed bit set
 * at the moment somebody cleared it.
 *
 * Everybody who clears that bit in a KVM's tables (DAMON's sampling, DAMON's
 * young filter, page_idle, reclaim) goes through two kernel functions, and
 * they return whether the bit was set.  Looking at their return values hence
 * misses no access, whoever did the clearing and for whatever reason.
 *
 * Results go to `young`, one bit a guest frame, mapped by user space, which
 * takes bits out with atomic operations too.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#include "vmm/access/aging_window.h"

/* Only what is used; CO-RE finds the fields in the running kernel. */
struct mm_struct;
struct task_struct {
	struct mm_struct *mm;
} __attribute__((preserve_access_index));
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

char LICENSE[] SEC("license") = "GPL";

const volatile struct aging_window windows[AGING_MAX_WINDOWS];
const volatile __u64 nr_words;	/* of the map `young` */

__u64 target_mm;		/* set by find_mm, before the rest attaches */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);	/* resized before load */
	__type(key, __u32);
	__type(value, __u64);
} young SEC(".maps");

/* Frames [first, first + nr), nr at most those of a 2 MiB page. */
static __always_inline void mark(__u64 first, __u64 nr)
{
	__u64 end = first + nr;

	for (__u32 i = 0; i < 9; i++) {
		__u64 w = first / 64 + i, mask = ~0ULL, *word;
		__u32 key = w;

		if (w * 64 >= end || w >= nr_words)
			break;
		if (w * 64 < first)
			mask &= ~0ULL << (first % 64);
		if (end < w * 64 + 64)
			mask &= ~(~0ULL << (end % 64));
		word = bpf_map_lookup_elem(&young, &key);
		if (word)
			__sync_fetch_and_or(word, mask);
	}
}

static __always_inline int aged(__u64 mm, __u64 start, __u64 end, __u64 ret)
{
	/* int, or bool in later kernels: the low byte is right for both */
	if (mm != target_mm || !(ret & 0xff))
		return 0;
	for (int i = 0; i < AGING_MAX_WINDOWS; i++) {
		__u64 lo = windows[i].hva, hi = lo + windows[i].len;

		if (start >= hi || end <= lo)
			continue;
		lo = start > lo ? start : lo;
		hi = end < hi ? end : hi;
		mark(windows[i].gfn + ((lo - windows[i].hva) >> 12),
		     (hi - lo + 4095) >> 12);
	}
	return 0;
}

SEC("fexit/__mmu_notifier_clear_young")
int BPF_PROG(clear_young, __u64 mm, __u64 start, __u64 end, __u64 ret)
{
	return aged(mm, start, end, ret);
}

SEC("fexit/__mmu_notifier_clear_flush_young")
int BPF_PROG(clear_flush_young, __u64 mm, __u64 start, __u64 end, __u64 ret)
{
	return aged(mm, start, end, ret);
}

/* Read once for the process whose memory it is: learns its mm. */
SEC("iter/task")
int find_mm(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		target_mm = (__u64)ctx->task->mm;
	return 0;
}
