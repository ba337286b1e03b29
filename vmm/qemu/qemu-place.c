// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include "vmm/qemu/qemu-place.h"

/*
 * QEMU keeps a guard page behind RAM, so the kernel can merge another mapping
 * only before it: RAM is at the end of the mapping.
 */
static uint64_t place_in(const struct proc_vma *v, uint64_t bytes)
{
	uint64_t size = v->end - v->start;

	if (!v->writable || size < bytes ||
	    (v->is_file && !v->shared && size != bytes))
		return 0;
	return v->end - bytes;
}

static bool is_taken(const struct qemu_part *parts, unsigned int nr,
		     uint64_t end)
{
	for (unsigned int i = 0; i < nr; i++)
		if (parts[i].hva && parts[i].hva + parts[i].bytes == end)
			return true;
	return false;
}

/* Clears an hva that is no longer valid: that part is searched again. */
static void keep_known(struct qemu_part *p, const struct proc_vma *vmas,
		       int nr_vmas)
{
	for (int i = 0; p->hva && i < nr_vmas; i++)
		if (place_in(&vmas[i], p->bytes) == p->hva)
			return;
	p->hva = 0;
}

static void find(struct qemu_part *parts, unsigned int nr, struct qemu_part *p,
		 const struct proc_vma *vmas, int nr_vmas)
{
	const struct proc_vma *best = NULL;
	uint64_t size, best_size = 0;

	for (int i = 0; i < nr_vmas; i++) {
		size = vmas[i].end - vmas[i].start;
		if (!place_in(&vmas[i], p->bytes) ||
		    is_taken(parts, nr, vmas[i].end))
			continue;
		if (best && size == best_size)
			p->several = true;
		if (best && size >= best_size)
			continue;
		best = &vmas[i];
		best_size = size;
		p->several = false;
	}
	if (best && !p->several)
		p->hva = place_in(best, p->bytes);
}

static struct qemu_part *largest_unknown(struct qemu_part *parts,
					 unsigned int nr, uint64_t below)
{
	struct qemu_part *best = NULL;

	for (unsigned int i = 0; i < nr; i++)
		if (!parts[i].hva && parts[i].bytes < below &&
		    (!best || parts[i].bytes > best->bytes))
			best = &parts[i];
	return best;
}

void qemu_place(struct qemu_part *parts, unsigned int nr,
		const struct proc_vma *vmas, int nr_vmas)
{
	struct qemu_part *p;
	uint64_t below = UINT64_MAX;

	for (unsigned int i = 0; i < nr; i++) {
		parts[i].several = false;
		keep_known(&parts[i], vmas, nr_vmas);
	}
	while ((p = largest_unknown(parts, nr, below))) {
		unsigned int same = 0;

		below = p->bytes;
		for (unsigned int i = 0; i < nr; i++)
			same += !parts[i].hva && parts[i].bytes == below;
		if (same == 1) {
			find(parts, nr, p, vmas, nr_vmas);
			continue;
		}
		for (unsigned int i = 0; i < nr; i++)
			if (!parts[i].hva && parts[i].bytes == below)
				parts[i].several = true;
	}
}
