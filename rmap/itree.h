/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interval tree: which of n closed intervals [start, last] overlap a query,
 * in O(log n + hits).  Intrusive, allocates nothing, cannot fail.
 *
 * Several intervals may be equal; a node is identified by its address.
 * Not locked: readers may run together, a writer alone.
 */
#ifndef RMAP_ITREE_H
#define RMAP_ITREE_H

#include <stdbool.h>
#include <stdint.h>

struct itree_node {
	struct itree_node *left, *right;
	int64_t start, last;	/* set by the caller before insertion */
	int64_t max;		/* highest last in this subtree */
	int height;
};

void itree_insert(struct itree_node **root, struct itree_node *node);
void itree_remove(struct itree_node **root, struct itree_node *node);

/* The overlapping interval with the lowest start, or NULL. */
struct itree_node *itree_first(struct itree_node *root, int64_t start,
			       int64_t last);

/*
 * Calls fn for every interval that overlaps [start, last], by rising start,
 * until fn returns false; then it returns false, else true.
 */
bool itree_visit(struct itree_node *root, int64_t start, int64_t last,
		 bool (*fn)(struct itree_node *node, void *arg), void *arg);

#endif
