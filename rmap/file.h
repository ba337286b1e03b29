/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RMAP_FILE_H
#define RMAP_FILE_H

#include "rmap/internal.h"

extern const struct object_ops file_ops;

/*
 * The file of that key, created if necessary, with one more reference, which
 * nr_vmas counts.  0, -ENOMEM or -ENOSPC.
 */
int file_get(struct rmap *map, const struct rmap_file_id *key,
	     struct address_space **filep);
/* Drops a reference; the last one frees the file, which has no pages then. */
void file_put(struct rmap *map, struct address_space *file);

/* Insert into vma->file's tree, by vma->pgoff and the VMA's length; remove. */
void file_link_vma(struct rmap_vma *vma);
void file_unlink_vma(struct rmap_vma *vma);

#endif
