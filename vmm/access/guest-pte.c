// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The accessed bits of the guest's own page tables (access_guest.harvest, by
 * vmm/guest/guest-harvest.c).
 *
 * These bits show accesses of processes through their own mappings.  Accesses
 * of the guest's kernel through its own mappings (reading and writing files,
 * DMA) leave no trace there, so frames that no process maps are always reported
 * young, and so are those of processes whose page tables are not known: such
 * frames are never evicted.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"

struct guest_pte {
	struct access_source base;	/* first */
	const struct access_guest *guest;	/* not owned */
	uint64_t *examined;		/* owned; frames the last harvest saw */
};

static int pte_probe(const struct access_target *target, char *why, size_t len)
{
	if (target->guest)
		return 0;
	snprintf(why, len, "guest-pte reads the guest's page tables, whose "
		 "roots the guest agent reports: run without --no-agent, and "
		 "run vmm-guest-agent in the guest");
	return -EOPNOTSUPP;
}

static void pte_close(struct access_source *src)
{
	struct guest_pte *s = (struct guest_pte *)src;

	free(s->examined);
	free(s);
}

static int pte_open(struct access_source **srcp,
		    const struct access_target *target, char *why, size_t len)
{
	struct guest_pte *s;
	int rc = pte_probe(target, why, len);

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->examined = bitmap_new(guest_mem_nr_frames(target->mem));
	if (!s->examined) {
		free(s);
		return -ENOMEM;
	}
	s->guest = target->guest;
	s->base = (struct access_source){
		.ops = &access_source_guest_pte,
		.granule_pages = 1,
		.lossy = true,
		.cost = ACCESS_COST_WALK,
	};
	*srcp = &s->base;
	return 0;
}

static int pte_harvest(struct access_source *src, struct gfn_range range,
		       uint64_t *young)
{
	struct guest_pte *s = (struct guest_pte *)src;
	uint64_t start = range.start.v, end = start + range.nr;
	int rc;

	bitmap_clear_range(young, start, end);
	bitmap_clear_range(s->examined, start, end);
	rc = s->guest->harvest(s->guest->ctx, range, young, s->examined,
			       src->stopping);
	if (rc)
		return rc;
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++)
		young[w] |= bitmap_word_mask(w, start, end) & ~s->examined[w];
	return 0;
}

static int pte_arm(struct access_source *src, struct gfn_range range)
{
	struct guest_pte *s = (struct guest_pte *)src;

	/* What is found is discarded: the next harvest clears the bitmap. */
	return s->guest->harvest(s->guest->ctx, range, s->examined, s->examined,
				 src->stopping);
}

static void pte_assumed(struct access_source *src, struct gfn_range range,
			uint64_t *assumed)
{
	const struct guest_pte *s = (const struct guest_pte *)src;
	uint64_t start = range.start.v, end = start + range.nr;

	bitmap_clear_range(assumed, start, end);
	for (uint64_t w = start / 64; start < end && w <= (end - 1) / 64; w++)
		assumed[w] |= bitmap_word_mask(w, start, end) & ~s->examined[w];
}

const struct access_source_ops access_source_guest_pte = {
	.name = "guest-pte",
	.what = "accessed bits of the guest's page tables, found by the guest "
		"agent",
	.by_name_only = "needs the guest agent",
	.probe = pte_probe,
	.open = pte_open,
	.arm = pte_arm,
	.harvest = pte_harvest,
	.assumed = pte_assumed,
	.close = pte_close,
};
