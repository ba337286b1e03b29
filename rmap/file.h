/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_FILE_H
#define RMAP_FILE_H

#include "rmap/internal.h"

extern const struct object_ops file_ops;

/* The file of that key, with one reference more; -ENOMEM, -ENOSPC. */
int file_get(struct rmap *map, const struct rmap_file_id *key,
	     struct address_space **filep);
/* The last reference frees the file: it has no pages then. */
void file_put(struct rmap *map, struct address_space *file);

/* In and out of vma->file's tree, by vma->pgoff and the VMA's length. */
void file_link_vma(struct rmap_vma *vma);
void file_unlink_vma(struct rmap_vma *vma);

#endif
