// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames and page tables, from the e820 RAM above the image: a pool of tables,
 * counters and queues, then the regions' frames.  Nothing is ever freed.
 *
 *	0          image      pool        regions           top
 *	| firmware | text,bss | PTs, etc. | data frames ... | free |
 *
 * All address spaces share one lower half: an identity map in 2 MiB pages of
 * RAM and of everything below 4 GiB (the MMIO windows).
 */
#include "tests/payload/payload.h"

#define PTE_P		0x001ull
#define PTE_W		0x002ull
#define PTE_U		0x004ull
#define PTE_PS		0x080ull
#define PTE_ADDR	0x000ffffffffff000ull
#define E820_RAM	1

extern char image_start[], image_end[];

static struct extent ram[MAX_EXTENTS];	/* what is left, by address */
static unsigned int nr_ram;
static struct extent pool;
static uint64_t pool_next;		/* gfn */
static uint64_t ram_top;
static uint64_t identity_pdpt;
static struct extent tables[2];		/* of the identity map; of the spaces */

static uint64_t *table_at(uint64_t entry)
{
	return (uint64_t *)(entry & PTE_ADDR);
}

uint64_t memory_alloc_run(uint64_t nr_pages)
{
	uint64_t gfn = pool_next;

	if (nr_pages > pool.gfn + pool.nr - pool_next)
		return 0;
	pool_next += nr_pages;
	memset((void *)(gfn << PAGE_SHIFT), 0, nr_pages << PAGE_SHIFT);
	return gfn << PAGE_SHIFT;
}

bool memory_size_pool(uint64_t nr_pages)
{
	uint64_t used = pool_next - pool.gfn;

	if (nr_pages < used || nr_pages > pool.nr)
		return false;
	ram[0].gfn = pool.gfn + nr_pages;
	ram[0].nr = pool.nr - nr_pages;
	pool.nr = nr_pages;
	return true;
}

static bool make_identity(void)
{
	uint64_t top = ram_top << PAGE_SHIFT, addr = 0;
	uint64_t *pdpt;

	if (top < UINT64_C(4) << 30)
		top = UINT64_C(4) << 30;
	if (top > PAYLOAD_PRIVATE_VA)
		return false;
	identity_pdpt = memory_alloc_run(1);
	if (!identity_pdpt)
		return false;
	pdpt = (uint64_t *)identity_pdpt;
	for (unsigned int g = 0; addr < top; g++) {
		uint64_t *pd = (uint64_t *)memory_alloc_run(1);

		if (!pd)
			return false;
		for (int i = 0; i < 512; i++, addr += 2 << 20)
			pd[i] = addr | PTE_PS | PTE_U | PTE_W | PTE_P;
		pdpt[g] = (uint64_t)pd | PTE_U | PTE_W | PTE_P;
	}
	return true;
}

bool memory_init(const struct e820_entry *map, unsigned int nr)
{
	uint64_t lowest = (uint64_t)image_end >> PAGE_SHIFT;

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t first, end;

		if (map[i].type != E820_RAM || nr_ram == MAX_EXTENTS)
			continue;
		first = (map[i].addr + PAGE_BYTES - 1) >> PAGE_SHIFT;
		end = (map[i].addr + map[i].size) >> PAGE_SHIFT;
		if (end > ram_top)
			ram_top = end;
		if (first < lowest)
			first = lowest;
		if (first < end)
			ram[nr_ram++] = (struct extent){ first, end - first };
	}
	if (!nr_ram)
		return false;
	/* Until it is sized, the pool is all of the first extent. */
	pool = ram[0];
	pool_next = pool.gfn;
	if (!make_identity())
		return false;
	tables[0] = (struct extent){ pool.gfn, memory_pool_used() };
	return true;
}

uint64_t memory_ram_pages(void)
{
	return ram_top;
}

uint64_t memory_free_pages(void)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < nr_ram; i++)
		nr += ram[i].nr;
	return nr;
}

void memory_begin_tables(void)
{
	tables[1].gfn = pool_next;
}

void memory_end_tables(void)
{
	tables[1].nr = pool_next - tables[1].gfn;
}

bool memory_tables(unsigned int i, struct extent *ext)
{
	if (i >= sizeof(tables) / sizeof(tables[0]))
		return false;
	*ext = tables[i];
	return true;
}

struct extent memory_pool(void)
{
	return pool;
}

uint64_t memory_pool_used(void)
{
	return pool_next - pool.gfn;
}

bool memory_next_free(struct extent *ext)
{
	for (unsigned int i = 0; i < nr_ram; i++) {
		if (!ram[i].nr || ram[i].gfn < ext->gfn + ext->nr)
			continue;
		*ext = ram[i];
		return true;
	}
	return false;
}

struct extent memory_image(void)
{
	uint64_t first = (uint64_t)image_start >> PAGE_SHIFT;

	return (struct extent){ first,
		((uint64_t)image_end >> PAGE_SHIFT) - first };
}

bool memory_alloc_region(struct region *region, uint64_t nr_pages)
{
	uint64_t left = nr_pages;

	region->nr_extents = 0;
	for (unsigned int i = 0; i < nr_ram && left; i++) {
		uint64_t take = ram[i].nr < left ? ram[i].nr : left;

		if (!take)
			continue;
		region->extents[region->nr_extents++] =
			(struct extent){ ram[i].gfn, take };
		ram[i].gfn += take;
		ram[i].nr -= take;
		left -= take;
	}
	if (left)
		return false;
	region->nr = nr_pages;
	return true;
}

uint64_t region_gfn(const struct region *region, uint64_t index)
{
	for (unsigned int i = 0; i < region->nr_extents; i++) {
		if (index < region->extents[i].nr)
			return region->extents[i].gfn + index;
		index -= region->extents[i].nr;
	}
	return 0;
}

uint64_t memory_new_space(void)
{
	uint64_t *pml4 = (uint64_t *)memory_alloc_run(1);

	if (pml4)
		pml4[0] = identity_pdpt | PTE_U | PTE_W | PTE_P;
	return (uint64_t)pml4;
}

/* The entry's table, made if there is none; 0 when out of memory. */
static uint64_t *table_below(uint64_t *entry)
{
	if (!(*entry & PTE_P)) {
		uint64_t table = memory_alloc_run(1);

		if (!table)
			return NULL;
		*entry = table | PTE_U | PTE_W | PTE_P;
	}
	return table_at(*entry);
}

bool memory_map_region(uint64_t cr3, const struct region *region)
{
	uint64_t va = region->va, *pt = NULL;

	for (unsigned int e = 0; e < region->nr_extents; e++) {
		const struct extent *ext = &region->extents[e];

		for (uint64_t i = 0; i < ext->nr; i++, va += PAGE_BYTES) {
			if (!pt || !(va & ((2 << 20) - 1))) {
				uint64_t *t = (uint64_t *)cr3;

				t = table_below(&t[va >> 39 & 511]);
				t = t ? table_below(&t[va >> 30 & 511]) : NULL;
				pt = t ? table_below(&t[va >> 21 & 511]) : NULL;
			}
			if (!pt)
				return false;
			pt[va >> 12 & 511] = (ext->gfn + i) << PAGE_SHIFT |
					     PTE_U | PTE_W | PTE_P;
		}
	}
	return true;
}
