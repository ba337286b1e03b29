// SPDX-License-Identifier: GPL-2.0-or-later
/* The frame records, as callers see them. */
#include <errno.h>

#include "rmap/internal.h"

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
		.flags = map->flags[gfn],
	};
	if (page->object && map->config.scheme == RMAP_PTE_CHAIN)
		mapping_visit(map, page, describe_pte, info);
	else if (page->object && !info->anon)
		info->file = ((const struct address_space *)
				page_object(map, page))->key;
	return 0;
}

int rmap_page_set_flags(struct rmap *map, uint64_t gfn, uint32_t flags)
{
	if (gfn >= map->config.nr_frames)
		return -ERANGE;
	if (flags > UINT16_MAX)
		return -EINVAL;
	map->flags[gfn] = (uint16_t)flags;
	return 0;
}

uint32_t rmap_page_flags(const struct rmap *map, uint64_t gfn)
{
	return gfn < map->config.nr_frames ? map->flags[gfn] : 0;
}
