// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	chunks  [ 0 | 1 | free | 3 ]
 *	          |   |          \--> 2048 slots, some free: chunk is in `open`
 *	          |   \--> 2048 slots, all in use
 *	          \--> slot 0 is never used: no object has id 0
 *
 * A free slot contains the next free slot's number plus 1, shifted left by one
 * and with bit 0 set, which no pointer has.  The entry of a free chunk in
 * `chunks` does the same with the number of the next free chunk.
 */
#include "rmap/ids.h"

#include <errno.h>

#include "rmap/memory.h"

static void *tag(uint32_t next)
{
	return (void *)((uintptr_t)next << 1 | 1);
}

static uint32_t untag(const void *p)
{
	return (uint32_t)((uintptr_t)p >> 1);
}

static void open_chunk(struct id_table *t, struct id_chunk *c)
{
	c->next = t->open;
	c->pprev = &t->open;
	if (c->next)
		c->next->pprev = &c->next;
	t->open = c;
}

static void close_chunk(struct id_chunk *c)
{
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
}

static int new_chunk(struct rmap_memory *mem, struct id_table *t)
{
	struct id_chunk *c;
	uint32_t number = t->free ? t->free - 1 : t->nr_chunks;

	if (number >= ID_NR_CHUNKS)
		return -ENOSPC;
	c = rmap_mem_alloc(mem, sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (t->free)
		t->free = untag(t->chunks[number]);
	else
		t->nr_chunks++;
	c->number = number;
	c->nr_ever_used = number ? 0 : 1;
	t->chunks[number] = c;
	open_chunk(t, c);
	return 0;
}

int ids_add(struct rmap_memory *mem, struct id_table *t, void *object,
	    uint32_t *id)
{
	int rc = t->open ? 0 : new_chunk(mem, t);
	struct id_chunk *c = t->open;
	uint32_t slot;

	if (rc)
		return rc;
	if (c->free) {
		slot = c->free - 1;
		c->free = untag(c->slot[slot]);
	} else {
		slot = c->nr_ever_used++;
	}
	c->slot[slot] = object;
	c->nr_used++;
	if (!c->free && c->nr_ever_used == ID_CHUNK)
		close_chunk(c);
	*id = c->number << ID_CHUNK_BITS | slot;
	return 0;
}

void ids_del(struct rmap_memory *mem, struct id_table *t, uint32_t id)
{
	struct id_chunk *c = t->chunks[id >> ID_CHUNK_BITS];
	uint32_t slot = id & (ID_CHUNK - 1);

	if (!c->free && c->nr_ever_used == ID_CHUNK)
		open_chunk(t, c);
	c->slot[slot] = tag(c->free);
	c->free = slot + 1;
	if (--c->nr_used)
		return;
	close_chunk(c);
	t->chunks[c->number] = (struct id_chunk *)tag(t->free);
	t->free = c->number + 1;
	rmap_mem_free(mem, c, sizeof(*c));
}
