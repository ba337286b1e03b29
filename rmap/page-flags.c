// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page flags, and when they are stale.
 *
 * What a frame is was read at one time, who maps it at another.  Flags become
 * stale when the frame is mapped for the first time, or its last mapping goes,
 * after they were reported: the frame may be another page by then.
 *
 *	reported	later in the same scan		after the scan
 *	FREE		mapped: stale			mapped: stale
 *	ANON		unmapped: no longer anonymous	mapped, unmapped: stale
 *	FILE		still valid			still valid, unless
 *							mapped as anonymous
 *
 * Within one scan of the flags (rmap_flags_begin() to rmap_flags_end())
 * mappings are read after the flags, and a process's are reported anew by
 * deleting the old ones first: this makes stale only the flags that the
 * mappings contradict.
 */
#include "rmap/page-flags.h"

#include <errno.h>
#include <string.h>

#define PG_ALL	     0x07ffu
/* Stored with RMAP_PG_*: mapped when the flags were reported, or since. */
#define PG_WAS_MAPPED 0x8000u
/* Frames with one of these are mapped by no process. */
#define PG_UNMAPPABLE (RMAP_PG_FREE | RMAP_PG_SLAB | RMAP_PG_PGTABLE)

static uint64_t bit_of(uint64_t gfn)
{
	return UINT64_C(1) << gfn % 64;
}

static bool is_stale(const struct rmap *map, uint64_t gfn)
{
	return map->stale_flags[gfn / 64] & bit_of(gfn);
}

void page_flags_mark_stale(struct rmap *map, uint64_t gfn)
{
	uint16_t *flags = &map->flags[gfn];
	bool first = !map->pages[gfn].count;

	if (!*flags)
		return;		/* unknown anyway */
	if (first)
		*flags |= PG_WAS_MAPPED;
	if (map->in_flags_scan && !(first && *flags & PG_UNMAPPABLE))
		return;
	map->stale_flags[gfn / 64] |= bit_of(gfn);
	map->any_stale_flags = true;
}

void rmap_flags_begin(struct rmap *map)
{
	if (map->any_stale_flags)
		memset(map->stale_flags, 0,
		       (map->nr_frames + 63) / 64 * sizeof(uint64_t));
	map->any_stale_flags = false;
	map->in_flags_scan = true;
}

void rmap_flags_end(struct rmap *map)
{
	map->in_flags_scan = false;
}

void rmap_flags_cancel(struct rmap *map)
{
	if (!map->in_flags_scan)
		return;
	memset(map->stale_flags, 0xff,
	       (map->nr_frames + 63) / 64 * sizeof(uint64_t));
	map->any_stale_flags = true;
	map->in_flags_scan = false;
}

int rmap_page_set_flags(struct rmap *map, uint64_t gfn, uint32_t flags)
{
	if (gfn >= map->nr_frames)
		return -ERANGE;
	if (flags & ~PG_ALL)
		return -EINVAL;
	if (flags && map->pages[gfn].count)
		flags |= PG_WAS_MAPPED;
	map->flags[gfn] = (uint16_t)flags;
	if (is_stale(map, gfn))
		map->stale_flags[gfn / 64] &= ~bit_of(gfn);
	return 0;
}

/* Stale flags that are still valid: a file page may be cached and unmapped. */
static uint32_t valid_stale_flags(const struct page *page, uint32_t flags)
{
	const uint32_t kinds = RMAP_PG_FILE | RMAP_PG_ANON | RMAP_PG_KSM |
			       RMAP_PG_SWAPBACKED;

	if ((flags & kinds) != RMAP_PG_FILE ||
	    (page->count && page_is_anon(page)))
		return 0;
	return flags & (RMAP_PG_FILE | RMAP_PG_DIRTY);
}

uint32_t rmap_page_flags(const struct rmap *map, uint64_t gfn)
{
	const struct page *page;
	uint32_t flags;

	if (gfn >= map->nr_frames)
		return 0;
	page = &map->pages[gfn];
	flags = map->flags[gfn];
	if (!flags || (page->count && flags & PG_UNMAPPABLE))
		return 0;
	if (!page->count && !map->in_flags_scan && flags & RMAP_PG_ANON &&
	    flags & PG_WAS_MAPPED)
		return 0;
	flags &= PG_ALL;
	return is_stale(map, gfn) ? valid_stale_flags(page, flags) : flags;
}
