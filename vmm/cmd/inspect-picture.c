// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "vmm/cmd/inspect-picture.h"
#include "vmm/mem/addr.h"
#include "vmm/util/size.h"

#define MIN_COLUMNS 8
#define MAX_COLUMNS 128
#define WIDTH_OF_ADDRESS 12

enum colour { PLAIN, HOT, WARM, COLD, GONE };

static const char *const sequences[] = {
	[PLAIN] = "\033[0m", [HOT] = "\033[31m", [WARM] = "\033[33m",
	[COLD] = "\033[34m", [GONE] = "\033[35m",
};

struct glyph {
	char letter;
	enum colour colour;
	const char *what;
};

static const struct glyph guest_glyphs[GUEST_NR] = {
	[GUEST_OUTSIDE] = { ' ', PLAIN, "outside of all regions" },
	[GUEST_NOTHING] = { '.', PLAIN, "nothing is mapped" },
	[GUEST_MAPPED] = { 'm', PLAIN, "mapped, page table not known" },
	[GUEST_NO_ACCESS] = { 'n', COLD, "mapped without access" },
	[GUEST_SWAP] = { 's', GONE, "in the guest's swap" },
	[GUEST_PRESENT] = { 'p', COLD, "present, not accessed" },
	[GUEST_DIRTY] = { 'd', COLD, "dirty, not accessed since" },
	[GUEST_ACCESSED] = { 'a', WARM, "accessed" },
	[GUEST_WRITTEN] = { 'w', HOT, "accessed and dirty" },
	[GUEST_HUGE_PRESENT] = { 'P', COLD, "huge, not accessed" },
	[GUEST_HUGE_DIRTY] = { 'D', COLD, "huge, dirty, not accessed since" },
	[GUEST_HUGE_ACCESSED] = { 'A', WARM, "huge, accessed" },
	[GUEST_HUGE_WRITTEN] = { 'W', HOT, "huge, accessed and dirty" },
};

static const struct glyph host_glyphs[HOST_AGE_FIRST] = {
	[HOST_OUTSIDE] = { ' ', PLAIN, "outside of all regions" },
	[HOST_NOTHING] = { '.', PLAIN, "nothing is mapped" },
	[HOST_NOT_RAM] = { '?', PLAIN, "not RAM of this guest" },
	[HOST_ABSENT] = { '-', GONE, "never touched, or discarded" },
	[HOST_SWAP] = { 'x', GONE, "evicted, in the host's swap" },
	[HOST_RESIDENT] = { 'r', PLAIN, "resident, age not known" },
};

struct picture {
	uint64_t start, end;
	uint64_t block;		/* pages a character */
	unsigned int columns;
	size_t nr;		/* of cells */
	struct picture_sums cells[];
};

static uint64_t nr_cells(uint64_t pages, uint64_t block)
{
	return (pages + block - 1) / block;
}

struct picture *picture_new(uint64_t start, uint64_t end, unsigned int width,
			    unsigned int rows)
{
	uint64_t pages = (end - start) / VMM_PAGE_SIZE, block = 1, nr;
	unsigned int columns = MAX_COLUMNS;
	struct picture *p;

	while (columns > MIN_COLUMNS &&
	       WIDTH_OF_ADDRESS + 2 * (1 + columns) > width)
		columns /= 2;
	while (nr_cells(pages, block) > (uint64_t)columns * rows)
		block *= 2;
	nr = nr_cells(pages, block);
	if (nr < columns)
		columns = nr > MIN_COLUMNS ? nr : MIN_COLUMNS;
	p = calloc(1, sizeof(*p) + nr * sizeof(p->cells[0]));
	if (!p)
		return NULL;
	p->start = start;
	p->end = end;
	p->block = block;
	p->columns = columns;
	p->nr = nr;
	return p;
}

void picture_free(struct picture *p)
{
	free(p);
}

uint64_t picture_block_pages(const struct picture *p)
{
	return p->block;
}

static bool has(uint32_t bits, enum stat_map_bit bit)
{
	return bits >> bit & 1;
}

static enum guest_state guest_state(uint32_t bits)
{
	unsigned int state;

	if (!has(bits, STAT_MAP_REGION))
		return GUEST_OUTSIDE;
	if (has(bits, STAT_MAP_GUEST_SWAP))
		return GUEST_SWAP;
	if (has(bits, STAT_MAP_NO_ACCESS))
		return GUEST_NO_ACCESS;
	if (!has(bits, STAT_MAP_PRESENT))
		return has(bits, STAT_MAP_MAPPED) ? GUEST_MAPPED : GUEST_NOTHING;
	state = has(bits, STAT_MAP_HUGE) ? GUEST_HUGE_PRESENT : GUEST_PRESENT;
	return state + has(bits, STAT_MAP_DIRTY) +
	       2 * has(bits, STAT_MAP_ACCESSED);
}

static enum host_state host_state(uint32_t bits, int age)
{
	if (!has(bits, STAT_MAP_REGION))
		return HOST_OUTSIDE;
	if (has(bits, STAT_MAP_NOT_RAM))
		return HOST_NOT_RAM;
	if (has(bits, STAT_MAP_HOST_SWAP))
		return HOST_SWAP;
	if (!has(bits, STAT_MAP_RESIDENT))
		return has(bits, STAT_MAP_PRESENT) ||
				has(bits, STAT_MAP_MAPPED) ?
			       HOST_ABSENT : HOST_NOTHING;
	return age < 0 ? HOST_RESIDENT : HOST_AGE_FIRST + stat_age_class(age);
}

void picture_add(struct picture *p, uint64_t address, uint64_t nr_pages,
		 uint32_t bits, int age)
{
	enum guest_state g = guest_state(bits);
	enum host_state h = host_state(bits, age);
	uint64_t at, end, pages = (p->end - p->start) / VMM_PAGE_SIZE;

	if (address < p->start || address >= p->end)
		return;
	at = (address - p->start) / VMM_PAGE_SIZE;
	end = nr_pages < pages - at ? at + nr_pages : pages;
	while (at < end) {
		struct picture_sums *cell = &p->cells[at / p->block];
		uint64_t n = p->block - at % p->block;

		if (n > end - at)
			n = end - at;
		cell->guest[g] += n;
		cell->host[h] += n;
		at += n;
	}
}

/* The most frequent state above `nothing`; else `nothing`, or 0. */
static unsigned int most(const uint64_t *n, unsigned int nr,
			 unsigned int nothing)
{
	unsigned int best = 0;

	for (unsigned int i = nothing + 1; i < nr; i++)
		if (n[i] && n[i] >= n[best > nothing ? best : i])
			best = i;
	return best ? best : n[nothing] ? nothing : 0;
}

static struct glyph host_glyph(unsigned int state)
{
	unsigned int class = state - HOST_AGE_FIRST;

	if (state < HOST_AGE_FIRST)
		return host_glyphs[state];
	return (struct glyph){ '0' + class,
			       class < 2 ? HOT :
			       class < 4 ? WARM :
					   COLD,
			       NULL };
}

struct pen {
	bool colour;
	enum colour now;
};

static void use_colour(struct pen *pen, enum colour colour)
{
	if (pen->colour && pen->now != colour)
		fputs(sequences[colour], stdout);
	pen->now = colour;
}

static void put_letter(struct pen *pen, struct glyph glyph)
{
	use_colour(pen, glyph.colour);
	putchar(glyph.letter);
}

static void print_row(const struct picture *p, size_t first, struct pen *pen)
{
	size_t i, end = first + p->columns;

	printf("%0*llx ", WIDTH_OF_ADDRESS,
	       (unsigned long long)(p->start +
				    first * p->block * VMM_PAGE_SIZE));
	for (i = first; i < end && i < p->nr; i++)
		put_letter(pen, guest_glyphs[most(p->cells[i].guest, GUEST_NR,
						  GUEST_NOTHING)]);
	use_colour(pen, PLAIN);
	/* Aligns the host's side of a short row with the other rows. */
	printf("%*s", (int)(end - i) + 1, "");
	for (i = first; i < end && i < p->nr; i++)
		put_letter(pen, host_glyph(most(p->cells[i].host, HOST_NR,
						HOST_NOTHING)));
	use_colour(pen, PLAIN);
	putchar('\n');
}

void picture_print(const struct picture *p, bool colour,
		   struct picture_sums *sums)
{
	struct pen pen = { .colour = colour, .now = PLAIN };

	printf("%*s %-*s host\n", WIDTH_OF_ADDRESS, "", (int)p->columns,
	       "guest");
	for (size_t i = 0; i < p->nr; i += p->columns)
		print_row(p, i, &pen);
	for (size_t i = 0; i < p->nr; i++) {
		for (unsigned int k = 0; k < GUEST_NR; k++)
			sums->guest[k] += p->cells[i].guest[k];
		for (unsigned int k = 0; k < HOST_NR; k++)
			sums->host[k] += p->cells[i].host[k];
	}
}

static void print_state(struct glyph glyph, uint64_t pages, bool colour)
{
	struct pen pen = { .colour = colour, .now = PLAIN };
	char size[16];

	fputs("  ", stdout);
	put_letter(&pen, glyph);
	use_colour(&pen, PLAIN);
	printf(" %-32s %10llu pages %10s\n", glyph.what,
	       (unsigned long long)pages,
	       size_format(pages * VMM_PAGE_SIZE, size, sizeof(size)));
}

static const char *age_text(unsigned int class, char *buf, size_t len)
{
	unsigned int from = class ? stat_age_class_max(class - 1) + 1 : 0;
	unsigned int to = stat_age_class_max(class);

	if (class == STAT_AGE_CLASSES - 1)
		snprintf(buf, len, "idle for %u scans or more", from);
	else if (from == to)
		snprintf(buf, len, "idle for %u scan%s", to,
			 to == 1 ? "" : "s");
	else
		snprintf(buf, len, "idle for %u to %u scans", from, to);
	return buf;
}

void picture_print_legend(const struct picture_sums *sums, bool colour)
{
	char text[40];

	puts("guest, by its page tables:");
	for (unsigned int i = GUEST_NOTHING; i < GUEST_NR; i++)
		if (sums->guest[i])
			print_state(guest_glyphs[i], sums->guest[i], colour);
	puts("host, of the frames mapped there:");
	for (unsigned int i = HOST_NOTHING; i < HOST_NR; i++) {
		struct glyph glyph = host_glyph(i);

		if (!sums->host[i])
			continue;
		if (!glyph.what)
			glyph.what = age_text(i - HOST_AGE_FIRST, text,
					      sizeof(text));
		print_state(glyph, sums->host[i], colour);
	}
}
