// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * File pages: an address_space is one file, identified by (device, inode), as
 * in Linux.  Its interval tree (i_mmap) has the VMAs by the range of the file
 * they map:
 *
 *	file pages   0    1    2    3    4    5    6
 *	VMA a        [---------]
 *	VMA b             [--------------]
 *	VMA c                       [--------------]
 *	                    ^ index 2: a and b
 *
 * so that the VMAs that may map a page are found in O(log n + hits).  A
 * nonlinear VMA, whose offsets are unknown, is in it with the interval of all
 * indexes and is searched.
 */
#include "rmap/file.h"

#include "rmap/object.h"
#include "rmap/recorded.h"

/*
 * The guest chooses device and inode.  So that it cannot cause collisions, the
 * hash depends on the address of the map, which it does not know.
 */
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
	file = (void *)object_new(map, OBJECT_FILE, sizeof(*file), &rc);
	if (!file)
		return rc;
	file->key = *key;
	file->nr_vmas = 1;
	file->hash.hash = hash;
	hash_insert(&map->files, &file->hash);
	*filep = file;
	return 0;
}

void file_put(struct rmap *map, struct address_space *file)
{
	if (--file->nr_vmas)
		return;
	hash_remove(&map->files, &file->hash);
	object_free(map, &file->obj, sizeof(*file));
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
	candidate_fn fn;
	void *arg;
};

static bool visit_vma(struct itree_node *node, void *arg)
{
	struct rmap_vma *vma = container_of(node, struct rmap_vma, file_node);
	struct visit *v = arg;

	return v->fn(vma, vma_is_nonlinear(vma) ? OFF_UNKNOWN
						: v->index - vma->pgoff,
		     v->arg);
}

static bool file_visit(const struct rmap *map, const struct page *page,
		       candidate_fn fn, void *arg)
{
	const struct address_space *file = page_object(map, page);
	struct visit v = { page_index(page), fn, arg };

	return itree_visit(file->vmas, (int64_t)v.index, (int64_t)v.index,
			   visit_vma, &v);
}

static bool file_has_one_candidate(const struct rmap *map,
				   const struct page *page)
{
	const struct address_space *file = page_object(map, page);

	return file->nr_vmas == 1;
}

static void file_describe(const struct rmap *map, const struct page *page,
			  struct rmap_page_info *info)
{
	const struct address_space *file = page_object(map, page);

	info->file = file->key;
}

static bool is_nonlinear(struct rmap_vma *vma, uint64_t off, void *arg)
{
	return vma_is_nonlinear(vma);
}

/* All recorded mappings are in nonlinear VMAs: the index is not known yet. */
static bool index_unknown(struct rmap *map, const struct address_space *file,
			  const struct mapping *m)
{
	return file->nr_nonlinear &&
	       recorded_visit(map, &file_ops, m->page, m->gfn, is_nonlinear,
			      NULL) == 1;
}

/* The file's tree finds a page only at its index, and only in that file. */
static enum object_fit file_fit(struct rmap *map, const struct mapping *m)
{
	const struct address_space *file = m->vma->file;

	if (!m->page->object)
		return OBJECT_FITS;
	if (!file || page_object(map, m->page) != file)
		return OBJECT_UNFIT;
	if (vma_is_nonlinear(m->vma) ||
	    page_index(m->page) == m->vma->pgoff + m->off ||
	    index_unknown(map, file, m))
		return OBJECT_FITS;
	return OBJECT_UNFIT;
}

static int file_add(struct rmap *map, const struct mapping *m)
{
	uint64_t index = m->vma->pgoff + m->off;

	if (!m->page->object)
		page_set_object(m->page, m->vma->file->obj.id, false);
	else if (vma_is_nonlinear(m->vma))
		return 0;
	page_set_index(m->page, index);
	return 0;
}

const struct object_ops file_ops = {
	.fit = file_fit,
	.add = file_add,
	.visit = file_visit,
	.has_one_candidate = file_has_one_candidate,
	.describe = file_describe,
};
