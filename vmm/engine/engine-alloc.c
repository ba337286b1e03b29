// SPDX-License-Identifier: GPL-2.0-or-later
/* Allocates the engine's parts.  No locks: no other thread uses them yet. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/engine/engine-internal.h"
#include "vmm/util/bitmap.h"

int engine_scan_init(struct engine_scan *s, uint64_t nr_frames, bool huge)
{
	s->nr_frames = nr_frames;
	s->resident = bitmap_new(nr_frames);
	s->swapped = bitmap_new(nr_frames);
	s->young = bitmap_new(nr_frames);
	s->observed = bitmap_new(nr_frames);
	s->pending_young = bitmap_new(nr_frames);
	s->pending_observed = bitmap_new(nr_frames);
	s->harvested = bitmap_new(nr_frames);
	s->assumed = bitmap_new(nr_frames);
	s->huge = huge ? bitmap_new(nr_frames) : NULL;
	s->huge_mapped = huge ? bitmap_new(nr_frames) : NULL;
	if (!s->resident || !s->swapped || !s->young || !s->observed ||
	    !s->pending_young || !s->pending_observed || !s->harvested || !s->assumed ||
	    (huge && (!s->huge || !s->huge_mapped)))
		return -ENOMEM;
	return 0;
}

void engine_scan_destroy(struct engine_scan *s)
{
	free(s->resident);
	free(s->swapped);
	free(s->young);
	free(s->observed);
	free(s->pending_young);
	free(s->harvested);
	free(s->pending_observed);
	free(s->assumed);
	free(s->huge);
	free(s->huge_mapped);
}

int engine_history_init(struct engine_history *h, uint64_t nr_frames,
			uint64_t granule)
{
	int rc = frame_table_init(&h->frames, nr_frames);

	if (!rc)
		rc = block_table_init(&h->blocks, nr_frames);
	if (rc)
		return rc;
	h->wss_granule = granule;
	h->resident_when_aged = bitmap_new(nr_frames);
	h->swapped_when_aged = bitmap_new(nr_frames);
	h->word_classes =
		calloc(BITMAP_WORDS(nr_frames), sizeof(*h->word_classes));
	if (granule > 1)
		h->wss_has_one_age = bitmap_new(nr_frames / granule + 1);
	if (!h->resident_when_aged || !h->swapped_when_aged ||
	    !h->word_classes || (granule > 1 && !h->wss_has_one_age))
		return -ENOMEM;
	return 0;
}

void engine_history_destroy(struct engine_history *h)
{
	frame_table_destroy(&h->frames);
	block_table_destroy(&h->blocks);
	free(h->resident_when_aged);
	free(h->swapped_when_aged);
	free(h->word_classes);
	free(h->wss_has_one_age);
}

int engine_pass_init(struct engine_pass *p, uint64_t nr_frames, bool huge)
{
	p->refused = bitmap_new(nr_frames);
	p->tried = bitmap_new(nr_frames);
	p->candidates = malloc(ENGINE_BATCH * sizeof(*p->candidates));
	p->ranges = malloc(ENGINE_BATCH * sizeof(*p->ranges));
	p->chosen = huge ? malloc(ENGINE_BATCH * sizeof(*p->chosen)) : NULL;
	p->resident = bitmap_new(nr_frames);
	if (!p->refused || !p->tried || !p->resident || !p->candidates ||
	    !p->ranges || (huge && !p->chosen))
		return -ENOMEM;
	return 0;
}

void engine_pass_destroy(struct engine_pass *p)
{
	free(p->refused);
	free(p->tried);
	free(p->candidates);
	free(p->ranges);
	free(p->resident);
	free(p->chosen);
}
