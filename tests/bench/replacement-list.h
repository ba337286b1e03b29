/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of pages, of which each page is on one at most; for the policies. */
#ifndef TESTS_BENCH_REPLACEMENT_LIST_H
#define TESTS_BENCH_REPLACEMENT_LIST_H

#include <stdint.h>
#include <stdlib.h>

#define LIST_NIL  UINT32_MAX
#define LIST_NONE 255

struct list {
	uint32_t head, tail, nr;
};

struct lists {
	uint32_t *next, *prev;	/* owned; towards the tail, and the head */
	uint8_t *on;		/* owned; which list a page is on, or LIST_NONE */
	struct list list[8];
};

/* Zeroed memory for nr items; aborts without. */
static inline void *list_alloc(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	if (!p)
		abort();
	return p;
}

static inline struct lists lists_new(uint32_t nr_pages)
{
	struct lists l = {
		.next = list_alloc(nr_pages, sizeof(*l.next)),
		.prev = list_alloc(nr_pages, sizeof(*l.prev)),
		.on = list_alloc(nr_pages, sizeof(*l.on)),
	};

	for (uint32_t p = 0; p < nr_pages; p++)
		l.on[p] = LIST_NONE;
	for (int i = 0; i < 8; i++)
		l.list[i] = (struct list){ LIST_NIL, LIST_NIL, 0 };
	return l;
}

static inline void lists_free(struct lists *l)
{
	free(l->next);
	free(l->prev);
	free(l->on);
}

static inline void list_remove(struct lists *l, uint32_t page)
{
	struct list *from;
	uint32_t next = l->next[page], prev = l->prev[page];

	if (l->on[page] == LIST_NONE)
		return;
	from = &l->list[l->on[page]];
	if (prev == LIST_NIL)
		from->head = next;
	else
		l->next[prev] = next;
	if (next == LIST_NIL)
		from->tail = prev;
	else
		l->prev[next] = prev;
	from->nr--;
	l->on[page] = LIST_NONE;
}

/* To the head of a list, from wherever it is. */
static inline void list_to_head(struct lists *l, uint32_t page, uint8_t to)
{
	struct list *list = &l->list[to];

	list_remove(l, page);
	l->next[page] = list->head;
	l->prev[page] = LIST_NIL;
	if (list->head == LIST_NIL)
		list->tail = page;
	else
		l->prev[list->head] = page;
	list->head = page;
	list->nr++;
	l->on[page] = to;
}

#endif
