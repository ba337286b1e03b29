// SPDX-License-Identifier: GPL-2.0-or-later
/* A frame's record, decoded. */
#include <errno.h>

#include "rmap/kinds.h"

int rmap_page_info(const struct rmap *map, uint64_t gfn,
		   struct rmap_page_info *info)
{
	const struct object_ops *ops;
	const struct page *page;

	if (gfn >= map->nr_frames)
		return -ERANGE;
	page = &map->pages[gfn];
	*info = (struct rmap_page_info){
		.mapcount = (int32_t)page->count - 1,
		.anon = page_is_anon(page),
		.has_object = page->object != 0,
		.index = page_index(page),
		.flags = rmap_page_flags(map, gfn),
	};
	ops = page->object ? page_ops(map, page) : NULL;
	if (ops && ops->describe)
		ops->describe(map, page, info);
	return 0;
}
