// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame records, as callers see them.
 *
 * What a frame is was read at one time, who maps it at another.  Flags are
 * outdated when the frame was mapped, or its last mapping went, after they were
 * told: it may be another's page by then.
 *
 *	told         at one look         later
 *	FREE     mapped: no, outdated    mapped: outdated
 *	ANON     unmapped: no longer     unmapped, mapped: outdated
 *	FILE     either: still           unmapped, or mapped as one: still
 *
 * Within one look (rmap_flags_begin()) mappings are read after the flags, and
 * those of a process are told anew by taking the old ones away first: that
 * outdates nothing but what they contradict.
 */
#include <errno.h>
#include <string.h>

#include "rmap/internal.h"

#define PG_ALL	     0x07ffu
/* Beside RMAP_PG_*: it was mapped when these were told, or since. */
#define PG_WAS_MAPPED 0x8000u
/* What no process maps. */
#define PG_UNMAPPABLE (RMAP_PG_FREE | RMAP_PG_SLAB | RMAP_PG_PGTABLE)

/* Chains know no objects: what the page is, its first region says. */
static bool describe_pte(struct rmap_vma *vma, uint64_t off, void *arg)
{
	struct rmap_page_info *info = arg;

	if (!info->mapcount)
		info->index = vma->pgoff + off;
	if (!info->anon)
		info->file = vma->desc.file;
	return false;
}

int rmap_page_info(const struct rmap *map, uint64_t gfn,
		   struct rmap_page_info *info)
{
	const struct page *page;

	if (gfn >= map->config.nr_frames)
		return -ERANGE;
	page = &map->pages[gfn];
	*info = (struct rmap_page_info){
		.mapcount = (int32_t)page->count - 1,
		.anon = page_is_anon(page),
		.mapped_object = page->object != 0,
		.index = page_index(page),
		.flags = rmap_page_flags(map, gfn),
	};
	if (page->object && map->config.scheme == RMAP_PTE_CHAIN)
		mapping_visit(map, page, describe_pte, info);
	else if (page->object && !info->anon)
		info->file = ((const struct address_space *)
				page_object(map, page))->key;
	return 0;
}

static uint64_t bit_of(uint64_t gfn)
{
	return UINT64_C(1) << gfn % 64;
}

static bool is_outdated(const struct rmap *map, uint64_t gfn)
{
	return map->outdated[gfn / 64] & bit_of(gfn);
}

void page_changes_hands(struct rmap *map, uint64_t gfn)
{
	uint16_t *flags = &map->flags[gfn];
	bool comes = !map->pages[gfn].count;

	if (!*flags)
		return;		/* unknown already */
	if (comes)
		*flags |= PG_WAS_MAPPED;
	if (map->telling && !(comes && *flags & PG_UNMAPPABLE))
		return;
	map->outdated[gfn / 64] |= bit_of(gfn);
	map->any_outdated = true;
}

void rmap_flags_begin(struct rmap *map)
{
	if (map->any_outdated)
		memset(map->outdated, 0,
		       (map->config.nr_frames + 63) / 64 * sizeof(uint64_t));
	map->any_outdated = false;
	map->telling = true;
}

void rmap_flags_end(struct rmap *map)
{
	map->telling = false;
}

int rmap_page_set_flags(struct rmap *map, uint64_t gfn, uint32_t flags)
{
	if (gfn >= map->config.nr_frames)
		return -ERANGE;
	if (flags & ~PG_ALL)
		return -EINVAL;
	if (flags && map->pages[gfn].count)
		flags |= PG_WAS_MAPPED;
	map->flags[gfn] = (uint16_t)flags;
	if (is_outdated(map, gfn))
		map->outdated[gfn / 64] &= ~bit_of(gfn);
	return 0;
}

/* A page of a file is in the page cache with and without mappings. */
static uint32_t outdated_flags(const struct page *page, uint32_t flags)
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

	if (gfn >= map->config.nr_frames)
		return 0;
	page = &map->pages[gfn];
	flags = map->flags[gfn];
	if (!flags || (page->count && flags & PG_UNMAPPABLE))
		return 0;
	if (!page->count && !map->telling && flags & RMAP_PG_ANON &&
	    flags & PG_WAS_MAPPED)
		return 0;
	flags &= PG_ALL;
	return is_outdated(map, gfn) ? outdated_flags(page, flags) : flags;
}
