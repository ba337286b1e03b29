// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PFNs are sorted by setting bits in a bitmap that spans the lowest to the
 * highest of them: one pass to set bits, one to read runs.  A terabyte of host
 * memory is 32 MiB of bitmap; comparing sorts of 262,144 PFNs took 25 ms.
 */
#include "config.h"

#include "vmm/access/pfn-map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"

#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_PFN	   ((UINT64_C(1) << 55) - 1)
#define HUGE_PAGES 512

struct pfn_map {
	const struct guest_mem *mem;	/* not owned */
	uint64_t start;			/* of the range last read */
	int fd;				/* owned: /proc/PID/pagemap */
	uint64_t *pfns;			/* owned; 0: not resident */
	uint64_t nr, cap, nr_resident, lowest, highest;
	uint64_t *bitmap;		/* owned */
	uint64_t bitmap_words;
	struct pfn_run *runs;		/* owned */
	size_t runs_cap;
};

static int pagemap_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int pfn_map_probe(pid_t pid, char *why, size_t len)
{
	__cleanup_close int fd = pagemap_open(getpid());
	__cleanup_close int target_fd = pagemap_open(pid);
	volatile char touched = 1;
	uint64_t entry;
	off_t off = ((uintptr_t)&touched >> VMM_PAGE_SHIFT) * sizeof(entry);

	/*
	 * Our stack is resident: a PFN of 0 there means that PFNs are hidden
	 * from us.
	 */
	if (fd < 0 || target_fd < 0 ||
	    pread(fd, &entry, sizeof(entry), off) != sizeof(entry) ||
	    !(entry & PM_PFN)) {
		snprintf(why, len, "/proc/%d/pagemap hides page frame numbers: "
			 "run as root or with CAP_SYS_ADMIN", (int)pid);
		return -EPERM;
	}
	return 0;
}

int pfn_map_check_backing(const struct guest_mem *mem, char *why, size_t len)
{
	if (!guest_mem_is_hugetlb(mem))
		return 0;
	snprintf(why, len, "this source only sees pages on the kernel's LRU "
		 "lists, which hugetlb pages are not: use kvm-young or soft, "
		 "or --mem-backing thp");
	return -EOPNOTSUPP;
}

int pfn_map_new(struct pfn_map **mapp, const struct guest_mem *mem, char *why,
		size_t len)
{
	struct pfn_map *map;
	int err = pfn_map_probe(guest_mem_pid(mem), why, len);

	if (err)
		return err;
	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->mem = mem;
	map->fd = pagemap_open(guest_mem_pid(mem));
	if (map->fd < 0) {
		err = map->fd;
		free(map);
		return err;
	}
	*mapp = map;
	return 0;
}

void pfn_map_free(struct pfn_map *map)
{
	if (!map)
		return;
	close(map->fd);
	free(map->pfns);
	free(map->bitmap);
	free(map->runs);
	free(map);
}

/* Reads the PFNs of one slot's part of the range into out. */
static int read_part(struct pfn_map *map, uint64_t hva, uint64_t nr,
		     uint64_t *out)
{
	off_t off = (hva >> VMM_PAGE_SHIFT) * sizeof(*out);
	size_t done = 0, want = nr * sizeof(*out);

	while (done < want) {
		ssize_t n = pread(map->fd, (char *)out + done, want - done,
				  off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t pfn = out[i] & PM_PRESENT ? out[i] & PM_PFN : 0;

		if (out[i] & PM_PRESENT && !pfn)
			return -EPERM;
		out[i] = pfn;
		if (!pfn)
			continue;
		map->nr_resident++;
		if (pfn < map->lowest)
			map->lowest = pfn;
		if (pfn > map->highest)
			map->highest = pfn;
	}
	return 0;
}

int pfn_map_read(struct pfn_map *map, struct gfn_range range)
{
	const struct guest_memslot *slots;
	unsigned int nr_slots;

	if (range.nr > map->cap) {
		uint64_t *pfns = malloc(range.nr * sizeof(*pfns));

		if (!pfns)
			return -ENOMEM;
		free(map->pfns);
		map->pfns = pfns;
		map->cap = range.nr;
	}
	map->start = range.start.v;
	map->nr = range.nr;
	map->nr_resident = 0;
	map->lowest = UINT64_MAX;
	map->highest = 0;
	memset(map->pfns, 0, range.nr * sizeof(*map->pfns));
	slots = guest_mem_slots(map->mem, &nr_slots);
	for (unsigned int i = 0; i < nr_slots; i++) {
		uint64_t lo = slots[i].base.v, hi = lo + slots[i].nr_pages;
		uint64_t end = range.start.v + range.nr;
		int err;

		if (lo < range.start.v)
			lo = range.start.v;
		if (hi > end)
			hi = end;
		if (lo >= hi)
			continue;
		err = read_part(map, slots[i].hva + ((lo - slots[i].base.v)
						     << VMM_PAGE_SHIFT),
				hi - lo, map->pfns + (lo - range.start.v));
		if (err) {
			map->nr = map->nr_resident = 0;
			return err;
		}
	}
	return 0;
}

uint64_t pfn_map_nr_resident(const struct pfn_map *map)
{
	return map->nr_resident;
}

uint64_t pfn_map_pfn(const struct pfn_map *map, uint64_t i)
{
	return map->pfns[i];
}

void pfn_map_forget(struct pfn_map *map, struct gfn_range part)
{
	uint64_t i = part.start.v - map->start;

	for (uint64_t end = i + part.nr; i < end; i++) {
		map->nr_resident -= !!map->pfns[i];
		map->pfns[i] = 0;
	}
}

int pfn_runs_from_bitmap(const uint64_t *bitmap, uint64_t base,
			 uint64_t nr_bits, uint64_t gap_pages,
			 struct pfn_run *runs, size_t max_runs)
{
	uint64_t bit = bitmap_next(bitmap, 0, nr_bits);
	size_t nr = 0;

	while (bit < nr_bits) {
		uint64_t end = bitmap_next_zero(bitmap, bit, nr_bits);

		if (nr && base + bit - runs[nr - 1].end <= gap_pages) {
			runs[nr - 1].end = base + end;
		} else {
			if (nr == max_runs)
				return -E2BIG;
			runs[nr++] = (struct pfn_run){ base + bit, base + end };
		}
		bit = bitmap_next(bitmap, end, nr_bits);
	}
	return nr;
}

size_t pfn_runs_part(const struct pfn_run *runs, size_t nr,
		     struct pfn_pos *pos, uint64_t max_pages,
		     struct pfn_run *part)
{
	uint64_t left = max_pages;
	size_t n = 0;

	while (pos->run < nr && left) {
		const struct pfn_run *run = &runs[pos->run];
		uint64_t start = run->start + pos->done, end = run->end;

		if (end - start > left) {
			end = start + left;
			if (end / HUGE_PAGES * HUGE_PAGES > start)
				end = end / HUGE_PAGES * HUGE_PAGES;
			pos->done = end - run->start;
			left = 0;
		} else {
			left -= end - start;
			pos->run++;
			pos->done = 0;
		}
		part[n++] = (struct pfn_run){ start, end };
	}
	return n;
}

int pfn_map_runs(struct pfn_map *map, uint64_t gap_pages, size_t max_runs,
		 const struct pfn_run **runsp)
{
	uint64_t base = map->lowest & ~UINT64_C(63), nr_bits;
	int nr;

	if (!map->nr_resident)
		return 0;
	nr_bits = map->highest - base + 1;
	if (BITMAP_WORDS(nr_bits) > map->bitmap_words) {
		free(map->bitmap);
		map->bitmap_words = BITMAP_WORDS(nr_bits);
		map->bitmap = malloc(map->bitmap_words * sizeof(uint64_t));
		if (!map->bitmap) {
			map->bitmap_words = 0;
			return -ENOMEM;
		}
	}
	if (max_runs > map->runs_cap) {
		free(map->runs);
		map->runs = malloc(max_runs * sizeof(*map->runs));
		map->runs_cap = map->runs ? max_runs : 0;
		if (!map->runs)
			return -ENOMEM;
	}
	memset(map->bitmap, 0, BITMAP_WORDS(nr_bits) * sizeof(uint64_t));
	for (uint64_t i = 0; i < map->nr; i++)
		if (map->pfns[i])
			bitmap_set(map->bitmap, map->pfns[i] - base);
	do {
		nr = pfn_runs_from_bitmap(map->bitmap, base, nr_bits, gap_pages,
					  map->runs, max_runs);
		gap_pages = gap_pages * 2 + 1;
	} while (nr == -E2BIG);
	*runsp = map->runs;
	return nr;
}
