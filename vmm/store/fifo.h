/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of keys that grows as needed.  A key that has left the store is not
 * taken out: its line is stale, as its seq tells, and skipped when it comes up.
 * Not thread-safe.
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
 * 0 or -ENOMEM.  Where the queue would grow, lines that is_stale() says are stale
 * are thrown out, of a part of it: some thousands are looked at in one call, at
 * most, however many there are.
 */
int fifo_push(struct fifo *fifo, struct fifo_line line,
	      bool (*is_stale)(struct fifo_line line, void *arg), void *arg);
bool fifo_pop(struct fifo *fifo, struct fifo_line *line);
/* Right after a fifo_pop(): back to the front, the next to come. */
void fifo_unpop(struct fifo *fifo, struct fifo_line line);

#endif
