// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks of lines in a list.  When the last chunk is full, clean_cursor scans
 * the next three for stale lines, and merges a chunk into the one before if
 * both fit in one (letters: lines; "-": stale ones; ".": free places):
 *
 *     head               clean_cursor                 tail
 *     [..abc]->[abcdefg.]->[abcde...]->[a-b--cd-]->[ab-cdefg]
 *     pop            behind it: scanned     ahead: the next
 *
 * So a push scans three thousand lines at most, and three on average.  The
 * cursor completes a round before half as many lines are pushed as there were
 * at its start, so that no more than about half of all lines are stale.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/fifo.h"

#define CHUNK_LINES 1024
/* Chunks that are searched for stale lines before a new one is made. */
#define CHECKS	    3

struct chunk {
	struct chunk *next;
	unsigned int first, nr;		/* its lines: [first, first + nr) */
	struct fifo_line lines[CHUNK_LINES];
};

struct fifo {
	struct chunk *head, *tail;	/* owned, with all between; never NULL */
	/* The last chunk scanned; NULL: none in this round. */
	struct chunk *clean_cursor;
};

static struct chunk *new_chunk(void)
{
	struct chunk *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->next = NULL;
	c->first = c->nr = 0;
	return c;
}

struct fifo *fifo_new(void)
{
	struct fifo *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->head = f->tail = new_chunk();
	if (f->head)
		return f;
	free(f);
	return NULL;
}

void fifo_free(struct fifo *f)
{
	struct chunk *next;

	if (!f)
		return;
	for (struct chunk *c = f->head; c; c = next) {
		next = c->next;
		free(c);
	}
	free(f);
}

static void drop_stale(struct chunk *c,
		       bool (*is_stale)(struct fifo_line line, void *arg),
		       void *arg)
{
	unsigned int nr = 0;

	for (unsigned int i = c->first; i < c->first + c->nr; i++)
		if (!is_stale(c->lines[i], arg))
			c->lines[nr++] = c->lines[i];
	c->first = 0;
	c->nr = nr;
}

/* Appends the lines of the next chunk, and frees that. */
static void join_next(struct fifo *f, struct chunk *c)
{
	struct chunk *next = c->next;

	memmove(c->lines, c->lines + c->first, c->nr * sizeof(*c->lines));
	memcpy(c->lines + c->nr, next->lines + next->first,
	       next->nr * sizeof(*c->lines));
	c->first = 0;
	c->nr += next->nr;
	c->next = next->next;
	if (f->tail == next)
		f->tail = c;
	free(next);
}

/* Scans the chunk after the cursor, which starts over after the last one. */
static void check_next(struct fifo *f,
		       bool (*is_stale)(struct fifo_line line, void *arg),
		       void *arg)
{
	struct chunk *c = f->clean_cursor ? f->clean_cursor->next : f->head;

	if (c)
		drop_stale(c, is_stale, arg);
	if (c && f->clean_cursor && f->clean_cursor->nr + c->nr <= CHUNK_LINES)
		join_next(f, f->clean_cursor);
	else
		f->clean_cursor = c;
}

static bool is_full(const struct chunk *c)
{
	return c->first + c->nr == CHUNK_LINES;
}

int fifo_push(struct fifo *f, struct fifo_line line,
	      bool (*is_stale)(struct fifo_line line, void *arg), void *arg)
{
	struct chunk *c;

	for (int i = 0; is_full(f->tail) && i < CHECKS; i++)
		check_next(f, is_stale, arg);
	if (is_full(f->tail)) {
		c = new_chunk();
		if (!c)
			return -ENOMEM;
		f->tail->next = c;
		f->tail = c;
	}
	c = f->tail;
	c->lines[c->first + c->nr++] = line;
	return 0;
}

/* The head; it has a line unless the queue is empty. */
static struct chunk *first_chunk(struct fifo *f)
{
	while (!f->head->nr && f->head->next) {
		struct chunk *c = f->head;

		f->head = c->next;
		if (f->clean_cursor == c)
			f->clean_cursor = NULL;
		free(c);
	}
	return f->head;
}

/* An empty chunk is kept for fifo_unpop(). */
bool fifo_pop(struct fifo *f, struct fifo_line *line)
{
	struct chunk *c = first_chunk(f);

	if (!c->nr)
		return false;
	*line = c->lines[c->first++];
	c->nr--;
	return true;
}

void fifo_unpop(struct fifo *f, struct fifo_line line)
{
	struct chunk *c = f->head;

	c->lines[--c->first] = line;
	c->nr++;
}
