// SPDX-License-Identifier: GPL-2.0-or-later
/* The kinds of objects, and the schemes that are made of them. */
#include "rmap/kinds.h"

#include "rmap/anon-mm.h"
#include "rmap/anon-vma.h"
#include "rmap/file.h"
#include "rmap/pte-chain.h"

const struct object_ops *const object_ops[NR_OBJECT_KINDS] = {
	[OBJECT_FILE] = &file_ops,
	[OBJECT_ANON_VMA] = &anon_vma_ops,
	[OBJECT_ANON_MM] = &anon_mm_ops,
	[OBJECT_PTE_CHAIN] = &pte_chain_ops,
};

static const struct scheme schemes[] = {
	[RMAP_ANON_VMA] = {
		.anon = OBJECT_ANON_VMA,
		.fallback = OBJECT_ANON_VMA,
		.copy_vma = anon_vma_copy_links,
		.uncopy_vma = anon_vma_drop_links,
	},
	[RMAP_ANON_MM] = {
		.anon = OBJECT_ANON_MM,
		.fallback = OBJECT_PTE_CHAIN,
		.vma_ids = true,
	},
	[RMAP_PTE_CHAIN] = {
		.every_page = &pte_ops,
		.vma_ids = true,
	},
};

const struct scheme *scheme_of(enum rmap_scheme scheme)
{
	return &schemes[scheme];
}

const struct object_ops *page_ops(const struct rmap *map,
				  const struct page *page)
{
	const struct object *object;

	if (map->scheme->every_page)
		return map->scheme->every_page;
	object = page_object(map, page);
	return object_ops[object->kind];
}
