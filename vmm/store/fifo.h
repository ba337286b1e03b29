/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of lines, each for one put of a key; it grows as needed.  When the
 * page is dropped or put again, its line is not removed: it is stale, as its
 * seq shows, and whoever pops it skips it.  Not thread-safe: the store
 * serialises.
 */
#ifndef VMM_STORE_FIFO_H
#define VMM_STORE_FIFO_H

#include <stdbool.h>
#include <stdint.h>

struct fifo;

struct fifo_line {
	uint64_t key : 56, seq : 8;
};

struct fifo *fifo_new(void);	/* NULL: no memory */
void fifo_free(struct fifo *fifo);
/*
 * 0 or -ENOMEM.  When the queue would grow, stale lines, as is_stale() says,
 * are removed from part of it: one call scans some thousands at most, however
 * many there are.
 */
int fifo_push(struct fifo *fifo, struct fifo_line line,
	      bool (*is_stale)(struct fifo_line line, void *arg), void *arg);
/* Takes the oldest line, which may be stale.  False: the queue is empty. */
bool fifo_pop(struct fifo *fifo, struct fifo_line *line);
/* Right after a fifo_pop(): puts the line back at the front. */
void fifo_unpop(struct fifo *fifo, struct fifo_line line);

#endif
