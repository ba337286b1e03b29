/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of keys that grows as needed.  The line of a key that was dropped
 * from the store is not removed: its seq shows that it is stale, and it is
 * skipped when it is popped.  Not thread-safe.
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
bool fifo_pop(struct fifo *fifo, struct fifo_line *line);
/* Right after a fifo_pop(): puts the line back at the front. */
void fifo_unpop(struct fifo *fifo, struct fifo_line line);

#endif
