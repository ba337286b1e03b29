// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/store/fifo.h"

#define FIRST_SIZE 1024		/* a power of two, as all sizes */

struct fifo {
	struct fifo_line *lines;	/* owned; a ring */
	uint64_t size, head, nr;
};

struct fifo *fifo_new(void)
{
	struct fifo *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->size = FIRST_SIZE;
	f->lines = malloc(f->size * sizeof(*f->lines));
	if (f->lines)
		return f;
	free(f);
	return NULL;
}

void fifo_free(struct fifo *f)
{
	if (!f)
		return;
	free(f->lines);
	free(f);
}

static struct fifo_line *line_at(const struct fifo *f, uint64_t i)
{
	return &f->lines[(f->head + i) & (f->size - 1)];
}

static void throw_out(struct fifo *f,
		      bool (*is_stale)(struct fifo_line line, void *arg),
		      void *arg)
{
	uint64_t kept = 0;

	for (uint64_t i = 0; i < f->nr; i++)
		if (!is_stale(*line_at(f, i), arg))
			*line_at(f, kept++) = *line_at(f, i);
	f->nr = kept;
}

static int grow(struct fifo *f)
{
	struct fifo_line *lines = malloc(2 * f->size * sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	for (uint64_t i = 0; i < f->nr; i++)
		lines[i] = *line_at(f, i);
	free(f->lines);
	f->lines = lines;
	f->size *= 2;
	f->head = 0;
	return 0;
}

/* Half of it free after a round of throwing out, so that these are rare. */
int fifo_push(struct fifo *f, struct fifo_line line,
	      bool (*is_stale)(struct fifo_line line, void *arg), void *arg)
{
	if (f->nr == f->size) {
		throw_out(f, is_stale, arg);
		if (f->nr > f->size / 2 && grow(f) && f->nr == f->size)
			return -ENOMEM;
	}
	*line_at(f, f->nr++) = line;
	return 0;
}

bool fifo_pop(struct fifo *f, struct fifo_line *line)
{
	if (!f->nr)
		return false;
	*line = *line_at(f, 0);
	f->head = (f->head + 1) & (f->size - 1);
	f->nr--;
	return true;
}

void fifo_unpop(struct fifo *f, struct fifo_line line)
{
	/* There is room: it was just taken. */
	f->head = (f->head - 1) & (f->size - 1);
	f->nr++;
	*line_at(f, 0) = line;
}
