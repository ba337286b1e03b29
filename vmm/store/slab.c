// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks of 64 KiB in one arena, each divided into slots of one size (class).
 * A slot begins with the key of its object; a free one with SLAB_NONE and the
 * index of the next free slot.  Blocks with holes (free slots) are in lists,
 * NR_FILLS of each class by how full they are, so that the fullest and the
 * emptiest are found without scanning all; full blocks are in no list, and
 * empty ones are freed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/store/slab.h"

#define BLOCK_BYTES 65536u
#define STEP	    64u
#define NR_CLASSES  (SLAB_MAX_SIZE / STEP + 1)	/* sizes include the key */
#define NR_FILLS    16u
#define MAX_CANDIDATES 16	/* blocks compared to find the emptiest */
#define NO_BLOCK    UINT32_MAX
#define NO_SLOT	    UINT16_MAX
#define SLOT_BITS   10		/* of a handle; a block has up to 1024 slots */

struct block {
	uint32_t next, prev;	/* in a list of holes[], or of free blocks */
	uint16_t class, nr_used, nr_slots, first_free;
};

struct slot {
	uint64_t key;		/* SLAB_NONE: free */
	union {
		uint16_t next_free;
		uint8_t data[8];	/* variable length */
	};
};

struct slab {
	uint8_t *arena;		/* owned */
	uint64_t nr_blocks, nr_fresh;	/* from index nr_fresh on: never used */
	struct block *blocks;	/* owned */
	uint32_t free_blocks;	/* list of blocks used before, now empty */
	uint32_t holes[NR_CLASSES][NR_FILLS];	/* lists of blocks with holes */
	uint64_t nr_holes[NR_CLASSES];	/* free slots of blocks in use */
	struct slab_stats stats;
};

static size_t slot_size(unsigned int class)
{
	return (size_t)(class + 1) * STEP;
}

int slab_new(struct slab **slabp, uint64_t max_bytes)
{
	struct slab *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->nr_blocks = max_bytes / BLOCK_BYTES;
	if (s->nr_blocks >= NO_BLOCK)
		s->nr_blocks = NO_BLOCK - 1;
	s->blocks = calloc(s->nr_blocks + 1, sizeof(*s->blocks));
	s->arena = mmap(NULL, (s->nr_blocks + 1) * BLOCK_BYTES,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->free_blocks = NO_BLOCK;
	for (unsigned int c = 0; c < NR_CLASSES; c++)
		for (unsigned int f = 0; f < NR_FILLS; f++)
			s->holes[c][f] = NO_BLOCK;
	if (s->blocks && s->arena != MAP_FAILED) {
		*slabp = s;
		return 0;
	}
	slab_free(s);
	return -ENOMEM;
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	if (s->arena != MAP_FAILED)
		munmap(s->arena, (s->nr_blocks + 1) * BLOCK_BYTES);
	free(s->blocks);
	free(s);
}

static struct slot *slot_at(const struct slab *s, uint32_t block,
			    unsigned int i)
{
	return (struct slot *)(s->arena + (uint64_t)block * BLOCK_BYTES +
			       i * slot_size(s->blocks[block].class));
}

static void list_add(struct slab *s, uint32_t *head, uint32_t block)
{
	s->blocks[block].prev = NO_BLOCK;
	s->blocks[block].next = *head;
	if (*head != NO_BLOCK)
		s->blocks[*head].prev = block;
	*head = block;
}

static void list_del(struct slab *s, uint32_t *head, uint32_t block)
{
	struct block *b = &s->blocks[block];

	if (b->prev == NO_BLOCK)
		*head = b->next;
	else
		s->blocks[b->prev].next = b->next;
	if (b->next != NO_BLOCK)
		s->blocks[b->next].prev = b->prev;
}

/* The list for a block with holes. */
static uint32_t *list_for(struct slab *s, const struct block *b)
{
	return &s->holes[b->class][b->nr_used * NR_FILLS / b->nr_slots];
}

static uint32_t new_block(struct slab *s, unsigned int class)
{
	uint32_t block = s->free_blocks;
	struct block *b;

	if (block != NO_BLOCK)
		list_del(s, &s->free_blocks, block);
	else if (s->nr_fresh < s->nr_blocks)
		block = s->nr_fresh++;
	else
		return NO_BLOCK;
	b = &s->blocks[block];
	b->class = class;
	b->nr_used = 0;
	b->nr_slots = BLOCK_BYTES / slot_size(class);
	b->first_free = 0;
	for (unsigned int i = 0; i < b->nr_slots; i++) {
		struct slot *slot = slot_at(s, block, i);

		slot->key = SLAB_NONE;
		slot->next_free = i + 1 < b->nr_slots ? i + 1 : NO_SLOT;
	}
	list_add(s, list_for(s, b), block);
	s->nr_holes[class] += b->nr_slots;
	s->stats.block_bytes += BLOCK_BYTES;
	return block;
}

/* Frees an empty block that is in no list. */
static void free_block(struct slab *s, uint32_t block)
{
	const struct block *b = &s->blocks[block];

	s->nr_holes[b->class] -= b->nr_slots;
	madvise(s->arena + (uint64_t)block * BLOCK_BYTES, BLOCK_BYTES,
		MADV_DONTNEED);
	list_add(s, &s->free_blocks, block);
	s->stats.block_bytes -= BLOCK_BYTES;
}

/* Also moves the block to the list for it, or to none if empty or full. */
static void set_nr_used(struct slab *s, uint32_t block, unsigned int nr_used)
{
	struct block *b = &s->blocks[block];
	uint32_t *from = b->nr_used < b->nr_slots ? list_for(s, b) : NULL, *to;

	s->nr_holes[b->class] += b->nr_used;
	s->nr_holes[b->class] -= nr_used;
	b->nr_used = nr_used;
	to = nr_used && nr_used < b->nr_slots ? list_for(s, b) : NULL;
	if (from == to)
		return;
	if (from)
		list_del(s, from, block);
	if (to)
		list_add(s, to, block);
}

static uint64_t take_slot(struct slab *s, uint32_t block, uint64_t key)
{
	struct block *b = &s->blocks[block];
	unsigned int i = b->first_free;
	struct slot *slot = slot_at(s, block, i);

	b->first_free = slot->next_free;
	slot->key = key;
	set_nr_used(s, block, b->nr_used + 1);
	return (uint64_t)block << SLOT_BITS | i;
}

/* One of the fullest of the class' blocks with holes, or NO_BLOCK. */
static uint32_t fullest(const struct slab *s, unsigned int class)
{
	for (unsigned int f = NR_FILLS; s->nr_holes[class] && f-- > 0;)
		if (s->holes[class][f] != NO_BLOCK)
			return s->holes[class][f];
	return NO_BLOCK;
}

uint64_t slab_alloc(struct slab *s, size_t size, uint64_t key)
{
	unsigned int class = (size + sizeof(key) + STEP - 1) / STEP - 1;
	uint32_t block;

	if (!size || size > SLAB_MAX_SIZE)
		return SLAB_NONE;
	block = fullest(s, class);
	if (block == NO_BLOCK)
		block = new_block(s, class);
	if (block == NO_BLOCK)
		return SLAB_NONE;
	s->stats.slot_bytes += slot_size(class);
	s->stats.nr_objects++;
	return take_slot(s, block, key);
}

static void free_slot(struct slab *s, uint64_t handle)
{
	uint32_t block = handle >> SLOT_BITS;
	unsigned int i = handle & ((1u << SLOT_BITS) - 1);
	struct block *b = &s->blocks[block];
	struct slot *slot = slot_at(s, block, i);

	slot->key = SLAB_NONE;
	slot->next_free = b->first_free;
	b->first_free = i;
	set_nr_used(s, block, b->nr_used - 1);
	if (!b->nr_used)
		free_block(s, block);
}

void slab_release(struct slab *s, uint64_t handle)
{
	s->stats.slot_bytes -= slot_size(s->blocks[handle >> SLOT_BITS].class);
	s->stats.nr_objects--;
	free_slot(s, handle);
}

void *slab_data(struct slab *s, uint64_t handle)
{
	return slot_at(s, handle >> SLOT_BITS,
		       handle & ((1u << SLOT_BITS) - 1))->data;
}

void slab_get_stats(const struct slab *s, struct slab_stats *stats)
{
	*stats = s->stats;
}

/* One of the emptiest of the class' blocks with holes, or NO_BLOCK. */
static uint32_t emptiest(const struct slab *s, unsigned int class)
{
	uint32_t best = NO_BLOCK, b = NO_BLOCK;

	for (unsigned int f = 0; b == NO_BLOCK && f < NR_FILLS; f++)
		b = s->holes[class][f];
	for (int n = 0; n < MAX_CANDIDATES && b != NO_BLOCK; n++) {
		if (best == NO_BLOCK ||
		    s->blocks[b].nr_used < s->blocks[best].nr_used)
			best = b;
		b = s->blocks[b].next;
	}
	return best;
}

/* Moves the block's objects to holes of others, which have room; frees it. */
static void evacuate_block(struct slab *s, uint32_t block,
			   void (*moved)(uint64_t key, uint64_t from,
					 uint64_t to, void *arg), void *arg)
{
	struct block *b = &s->blocks[block];

	list_del(s, list_for(s, b), block);
	for (unsigned int i = 0; i < b->nr_slots; i++) {
		struct slot *from = slot_at(s, block, i);
		uint64_t key = from->key, to;

		if (key == SLAB_NONE)
			continue;
		to = take_slot(s, fullest(s, b->class), key);
		memcpy(slab_data(s, to), from->data,
		       slot_size(b->class) - sizeof(key));
		moved(key, (uint64_t)block << SLOT_BITS | i, to, arg);
		s->stats.nr_moved++;
	}
	s->nr_holes[b->class] += b->nr_used;
	free_block(s, block);
}

uint64_t slab_compact(struct slab *s, unsigned int max_moves,
		      void (*moved)(uint64_t key, uint64_t from, uint64_t to,
				    void *arg), void *arg)
{
	uint64_t before = s->stats.block_bytes;

	for (unsigned int class = 0; class < NR_CLASSES; class++) {
		const struct block *b;
		uint32_t block;

		/*
		 * With as many holes as a block has slots, the objects of any
		 * block fit into the others.
		 */
		if (s->nr_holes[class] < BLOCK_BYTES / slot_size(class))
			continue;
		block = emptiest(s, class);
		b = &s->blocks[block];
		if (block == NO_BLOCK || b->nr_used > max_moves)
			continue;
		max_moves -= b->nr_used;
		evacuate_block(s, block, moved, arg);
	}
	return before - s->stats.block_bytes;
}
