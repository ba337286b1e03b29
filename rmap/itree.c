// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An AVL tree ordered by (start, address of the node), in which each node also
 * keeps the highest end found below it:
 *
 *	            [20,29] max 60
 *	           /              \
 *	   [0,60] max 60      [40,45] max 45
 *	        \
 *	    [10,12] max 12
 *
 * A query [s, l] need not enter a subtree whose max is below s, nor look right
 * of a node that starts above l.  Depth is at most 1.44 log2(n), so recursion
 * is shallow: 2^27 intervals are 39 levels.
 */
#include "rmap/itree.h"

#include <stddef.h>

static int height(const struct itree_node *n)
{
	return n ? n->height : 0;
}

static void update(struct itree_node *n)
{
	int l = height(n->left), r = height(n->right);

	n->height = (l > r ? l : r) + 1;
	n->max = n->last;
	if (n->left && n->left->max > n->max)
		n->max = n->left->max;
	if (n->right && n->right->max > n->max)
		n->max = n->right->max;
}

static struct itree_node *rotate_right(struct itree_node *n)
{
	struct itree_node *l = n->left;

	n->left = l->right;
	l->right = n;
	update(n);
	update(l);
	return l;
}

static struct itree_node *rotate_left(struct itree_node *n)
{
	struct itree_node *r = n->right;

	n->right = r->left;
	r->left = n;
	update(n);
	update(r);
	return r;
}

/* Restores the AVL rule at n; its subtrees' heights differ by 2 at most. */
static struct itree_node *balance(struct itree_node *n)
{
	int diff = height(n->left) - height(n->right);

	if (diff > 1) {
		if (height(n->left->left) < height(n->left->right))
			n->left = rotate_left(n->left);
		return rotate_right(n);
	}
	if (diff < -1) {
		if (height(n->right->right) < height(n->right->left))
			n->right = rotate_right(n->right);
		return rotate_left(n);
	}
	update(n);
	return n;
}

static bool before(const struct itree_node *a, const struct itree_node *b)
{
	if (a->start != b->start)
		return a->start < b->start;
	return (uintptr_t)a < (uintptr_t)b;
}

static struct itree_node *insert(struct itree_node *root,
				 struct itree_node *node)
{
	if (!root)
		return node;
	if (before(node, root))
		root->left = insert(root->left, node);
	else
		root->right = insert(root->right, node);
	return balance(root);
}

void itree_insert(struct itree_node **root, struct itree_node *node)
{
	node->left = NULL;
	node->right = NULL;
	update(node);
	*root = insert(*root, node);
}

static struct itree_node *take_lowest(struct itree_node *root,
				      struct itree_node **lowest)
{
	if (!root->left) {
		*lowest = root;
		return root->right;
	}
	root->left = take_lowest(root->left, lowest);
	return balance(root);
}

static struct itree_node *erase(struct itree_node *root,
				struct itree_node *node)
{
	struct itree_node *next;

	if (!root)
		return NULL;
	if (root != node) {
		if (before(node, root))
			root->left = erase(root->left, node);
		else
			root->right = erase(root->right, node);
		return balance(root);
	}
	if (!root->left)
		return root->right;
	if (!root->right)
		return root->left;
	root->right = take_lowest(root->right, &next);
	next->left = root->left;
	next->right = root->right;
	return balance(next);
}

void itree_remove(struct itree_node **root, struct itree_node *node)
{
	*root = erase(*root, node);
}

struct itree_node *itree_first(struct itree_node *root, int64_t start,
			       int64_t last)
{
	struct itree_node *n = root;

	while (n && n->max >= start) {
		if (n->left && n->left->max >= start) {
			/*
			 * Some interval on the left ends late enough.  If the
			 * first of these starts above last, so do all nodes
			 * after it: no need to come back here.
			 */
			n = n->left;
			continue;
		}
		if (n->start > last)
			return NULL;
		if (n->last >= start)
			return n;
		n = n->right;
	}
	return NULL;
}

bool itree_visit(struct itree_node *root, int64_t start, int64_t last,
		 bool (*fn)(struct itree_node *node, void *arg), void *arg)
{
	for (struct itree_node *n = root; n && n->max >= start; n = n->right) {
		if (!itree_visit(n->left, start, last, fn, arg))
			return false;
		if (n->start > last)
			return true;
		if (n->last >= start && !fn(n, arg))
			return false;
	}
	return true;
}
