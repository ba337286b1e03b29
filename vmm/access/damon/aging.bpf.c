// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records which pages of one guest DAMON's kernel thread found accessed.
 *
 * Within one turn of its loop a kdamond first clears the accessed bit of one
 * page in each region (it samples), and later applies the scheme: then, with
 * the young filter, it clears the bit of exactly those pages that have it set.
 * KVM's tracepoint reports the host virtual address of each clearing, and
 * DAMON's fires before the scheme is applied to a region:
 *
 *   kvm_age_hva ....  damos_before_apply  kvm_age_hva ....  before_apply ...
 *   |-- sampling --|  |------------- the scheme: young pages ------------|
 *
 * Sampling clears the accessed bit of a page before the scheme tests it;
 * `sampled` lists these pages, so that user space can handle them separately.
 * The last regions hold no memory (AGING_NOWHERE): when the scheme reaches the
 * first of them, the pass is complete.  The number of regions can't be used for
 * this: Linux 7.3 makes two more than configured.  A short pass may be followed
 * by another turn before DAMON is stopped; its sampling then clears bits of
 * pages that the pass has already tested, and is ignored.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#include "vmm/access/damon/aging-window.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct aging_window windows[AGING_MAX_WINDOWS];
const volatile __u64 nr_words;	/* of each map below */

/* Written by user space between passes, while no kdamond of ours runs. */
bool active;
/* Written here, reset by user space: */
__u64 nr_sampled;	/* bits cleared before the first scheme */
__u64 nr_passes;	/* schemes that have covered all memory */
bool in_scheme;		/* the scheme is being applied to regions with memory */

#define BITS_MAP(name)						\
	struct {						\
		__uint(type, BPF_MAP_TYPE_ARRAY);		\
		__uint(map_flags, BPF_F_MMAPABLE);		\
		__uint(max_entries, 1);	/* resized before load */ \
		__type(key, __u32);				\
		__type(value, __u64);				\
	} name SEC(".maps")

BITS_MAP(young);
BITS_MAP(sampled);

/*
 * Other kernel threads have this name too, but while active only our kdamond
 * runs.
 */
static __always_inline bool is_kdamond(void)
{
	char comm[16] = "";

	if (bpf_get_current_comm(comm, sizeof(comm)))
		return false;
	return comm[0] == 'k' && comm[1] == 'd' && comm[2] == 'a' &&
	       comm[3] == 'm' && comm[4] == 'o' && comm[5] == 'n' &&
	       comm[6] == 'd';
}

/* Frames [first, first + nr), nr at most the frames of a 2 MiB page. */
static __always_inline void mark(void *map, __u64 first, __u64 nr)
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
		word = bpf_map_lookup_elem(map, &key);
		if (word)
			__sync_fetch_and_or(word, mask);
	}
}

/* kvm_age_hva(unsigned long start, unsigned long end) */
SEC("raw_tp/kvm_age_hva")
int age(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 start = ctx->args[0], end = ctx->args[1];
	bool scheme_applied = in_scheme;

	if (!active || (!scheme_applied && nr_passes) || !is_kdamond())
		return 0;
	if (!scheme_applied)
		nr_sampled++;
	for (int i = 0; i < AGING_MAX_WINDOWS; i++) {
		__u64 lo = windows[i].hva, hi = lo + windows[i].len, gfn, nr;

		if (start >= hi || end <= lo)
			continue;
		lo = start > lo ? start : lo;
		hi = end < hi ? end : hi;
		gfn = windows[i].gfn + ((lo - windows[i].hva) >> 12);
		nr = (hi - lo + 4095) >> 12;
		if (scheme_applied)
			mark(&young, gfn, nr);
		else
			mark(&sampled, gfn, nr);
	}
	return 0;
}

/*
 * damos_before_apply(context, scheme, target, struct damon_region *, ...): a region
 * begins with the address of its first byte, in all kernel versions.
 */
SEC("raw_tp/damos_before_apply")
int apply(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 start = 0;

	if (!active || !is_kdamond())
		return 0;
	bpf_probe_read_kernel(&start, sizeof(start), (void *)ctx->args[3]);
	if (start < AGING_NOWHERE) {
		in_scheme = true;
	} else if (in_scheme) {
		in_scheme = false;
		nr_passes++;
	}
	return 0;
}
