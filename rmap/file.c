// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * File pages: an address_space is one file, known by (device, inode).  Its
 * interval tree has the VMAs by the window of the file they map:
 *
 *	file pages   0    1    2    3    4    5    6
 *	VMA a        [---------]
 *	VMA b             [--------------]
 *	VMA c                       [--------------]
 *	                    ^ index 2: a and b
 *
 * so that the VMAs that may map a page are found in O(log n + hits).  A VMA
 * whose offsets are unknown (nonlinear) is in it with an interval of all
 * indexes and is searched.
 */
#include <errno.h>

#include "rmap/internal.h"

/* The guest chooses device and inode: what it can't know is mixed in. */
static uint64_t file_hash(const struct rmap *map,
			  const struct rmap_file_id *key)
{
	uint64_t seed = (uintptr_t)map;

	return hash_final(hash_mix(hash_mix(seed, key->dev), key->ino));
}

int file_get(struct rmap *map, const struct rmap_file_id *key,
	     struct address_space **filep)
{
	uint64_t hash = file_hash(map, key);
	struct address_space *file;
	int rc;

	for (struct hash_node *n = hash_chain(&map->files, hash); n;
	     n = n->next) {
		file = container_of(n, struct address_space, hash);
		if (file->key.dev == key->dev && file->key.ino == key->ino) {
			file->nr_vmas++;
			*filep = file;
			return 0;
		}
	}
	file = rmap_alloc(map, sizeof(*file));
	if (!file)
		return -ENOMEM;
	rc = rmap_object_add(map, file, &file->obj.id);
	if (rc) {
		rmap_release(map, file, sizeof(*file));
		return rc;
	}
	file->obj.kind = OBJECT_FILE;
	file->key = *key;
	file->nr_vmas = 1;
	file->hash.hash = hash;
	hash_insert(&map->files, &file->hash);
	map->stats.nr_files++;
	*filep = file;
	return 0;
}

void file_put(struct rmap *map, struct address_space *file)
{
	if (--file->nr_vmas)
		return;
	hash_remove(&map->files, &file->hash);
	rmap_object_del(map, file->obj.id);
	map->stats.nr_files--;
	rmap_release(map, file, sizeof(*file));
}

void file_link_vma(struct rmap_vma *vma)
{
	if (vma_is_nonlinear(vma)) {
		vma->file->nr_nonlinear++;
		vma->file_node.start = INT64_MIN;
		vma->file_node.last = INT64_MAX;
	} else {
		vma->file_node.start = (int64_t)vma->pgoff;
		vma->file_node.last =
			(int64_t)(vma->pgoff + vma_nr_pages(vma) - 1);
	}
	itree_insert(&vma->file->vmas, &vma->file_node);
}

void file_unlink_vma(struct rmap_vma *vma)
{
	vma->file->nr_nonlinear -= vma_is_nonlinear(vma);
	itree_remove(&vma->file->vmas, &vma->file_node);
}

struct visit {
	uint64_t index;
	mapping_fn fn;
	void *arg;
};

static bool visit_vma(struct itree_node *node, void *arg)
{
	struct rmap_vma *vma = container_of(node, struct rmap_vma, file_node);
	struct visit *v = arg;

	return v->fn(vma, vma_is_nonlinear(vma) ? OFF_SEARCH
						: v->index - vma->pgoff,
		     v->arg);
}

bool file_visit(const struct address_space *file, uint64_t index,
		mapping_fn fn, void *arg)
{
	struct visit v = { index, fn, arg };

	return itree_visit(file->vmas, (int64_t)index, (int64_t)index,
			   visit_vma, &v);
}

static bool is_nonlinear(struct rmap_vma *vma, uint64_t off, void *arg)
{
	return vma_is_nonlinear(vma);
}

int file_add(struct rmap *map, struct rmap_vma *vma, uint64_t off,
	     struct page *page, uint64_t gfn)
{
	uint64_t index = vma->pgoff + off;

	if (!page->object) {
		page->object = vma->file->obj.id << 1;
		page_set_index(page, index);
		return 0;
	}
	if (vma->file && page_object(map, page) == vma->file) {
		if (vma_is_nonlinear(vma) || page_index(page) == index)
			return 0;
		/* The first who knows the page's place in the file. */
		if (vma->file->nr_nonlinear &&
		    mapping_visit_known(map, page, gfn, is_nonlinear,
					NULL) == 1) {
			page_set_index(page, index);
			return 0;
		}
	}
	/* Elsewhere, where the file's tree could not find it. */
	if (map->config.scheme == RMAP_ANON_MM)
		return chain_adopt(map, page, gfn, vma, off);
	return anon_rehome(map, vma, off, page, gfn);
}
