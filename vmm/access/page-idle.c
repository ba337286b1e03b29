// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Idle page tracking: /sys/kernel/mm/page_idle/bitmap, a bit for each host
 * page frame in words of 64.
 *
 *   write 1  clears the accessed bits of the page in all tables that map it,
 *            the second-level page tables too, and marks it idle
 *   read     checks those bits: 1 if still idle; else the mark is removed
 *
 *             arm: write       harvest: read, write those not idle
 *   page      |--- window 1 ---|--- window 2 ---
 *
 * Only the words that hold pages of the guest are read and written, in order
 * of PFN and up to WORDS_MAX at a time; zero bits in a write have no effect.
 *
 * A compound page (such as a transparent huge page) is tracked by its head
 * alone, and its tails read as 0. /proc/kpageflags identifies heads and tails;
 * each frame of the guest takes its result from the head.
 *
 * Unlike other sources this one also sees accesses by our own process.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/access/backoff.h"
#include "vmm/access/pfn-map.h"
#include "vmm/access/source.h"
#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

#define BITMAP_PATH "/sys/kernel/mm/page_idle/bitmap"
#define FLAGS_PATH  "/proc/kpageflags"
#define MAX_RUNS    (1u << 20)
#define WORDS_MAX   512
#define FLAGS_MAX   4096
#define ORDER_MAX   9		/* of the huge pages that guests get */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct page_idle {
	struct access_source base;	/* first */
	struct pfn_map *map;		/* owned */
	struct backoff *backoff;	/* owned */
	int bitmap_fd;			/* owned */
	int flags_fd;			/* owned */
	/* For the range being scanned, bitmaps indexed by PFN - first: */
	uint64_t first, nr_pfns;
	uint64_t cap_words;		/* of each bitmap */
	uint64_t *tail;			/* owned: tails of compound pages */
	uint64_t *track;		/* owned: pages to scan (no tails) */
	uint64_t *idle;			/* owned: as read from the kernel */
};

static int page_idle_probe(const struct access_target *target, char *why,
			   size_t len)
{
	__cleanup_close int fd = open(BITMAP_PATH, O_RDWR | O_CLOEXEC);
	int open_errno = errno;

	if (pfn_map_check_backing(target->mem, why, len))
		return -EOPNOTSUPP;
	errno = open_errno;
	if (fd < 0 && errno == ENOENT) {
		snprintf(why, len, "no " BITMAP_PATH ": a kernel with "
			 "CONFIG_IDLE_PAGE_TRACKING is needed");
		return -ENOENT;
	}
	if (fd < 0) {
		int err = errno;

		snprintf(why, len, BITMAP_PATH ": %s: run as root",
			 error_text(err));
		return -err;
	}
	return pfn_map_probe(guest_mem_pid(target->mem), why, len);
}

static void page_idle_close(struct access_source *src)
{
	struct page_idle *pi = (struct page_idle *)src;

	if (pi->bitmap_fd >= 0)
		close(pi->bitmap_fd);
	if (pi->flags_fd >= 0)
		close(pi->flags_fd);
	pfn_map_free(pi->map);
	backoff_free(pi->backoff);
	free(pi->tail);
	free(pi->track);
	free(pi->idle);
	free(pi);
}

static int page_idle_open(struct access_source **srcp,
			  const struct access_target *target, char *why,
			  size_t len)
{
	struct page_idle *pi = calloc(1, sizeof(*pi));
	int err;

	if (!pi)
		return -ENOMEM;
	pi->base = (struct access_source){
		.ops = &access_source_page_idle,
		.granule_pages = 1,
		.lossy = true,
		.cost = ACCESS_COST_RMAP,
	};
	pi->flags_fd = -1;
	pi->bitmap_fd = open(BITMAP_PATH, O_RDWR | O_CLOEXEC);
	err = pi->bitmap_fd < 0 ? -errno : 0;
	if (err)
		snprintf(why, len, BITMAP_PATH ": %s", error_text(-err));
	if (!err) {
		pi->flags_fd = open(FLAGS_PATH, O_RDONLY | O_CLOEXEC);
		err = pi->flags_fd < 0 ? -errno : 0;
		if (err)
			snprintf(why, len, FLAGS_PATH ": %s (needs "
				 "CONFIG_PROC_PAGE_MONITOR and root)",
				 error_text(-err));
	}
	if (!err)
		err = pfn_map_new(&pi->map, target->mem, why, len);
	if (!err) {
		pi->backoff = backoff_new(guest_mem_nr_frames(target->mem));
		err = pi->backoff ? 0 : -ENOMEM;
	}
	if (err) {
		page_idle_close(&pi->base);
		return err;
	}
	*srcp = &pi->base;
	return 0;
}

static int grow(struct page_idle *pi, uint64_t nr_words)
{
	uint64_t **maps[] = { &pi->tail, &pi->track, &pi->idle };

	if (nr_words <= pi->cap_words)
		return 0;
	pi->cap_words = 0;
	for (int i = 0; i < 3; i++) {
		free(*maps[i]);
		*maps[i] = malloc(nr_words * sizeof(uint64_t));
		if (!*maps[i])
			return -ENOMEM;
	}
	pi->cap_words = nr_words;
	return 0;
}

/* Reads nr flags from pfn on.  The number read (at least one), or -errno. */
static int64_t read_flags(struct page_idle *pi, uint64_t pfn, uint64_t nr,
			  uint64_t *flags)
{
	ssize_t n = pread(pi->flags_fd, flags, nr * sizeof(*flags),
			  pfn * sizeof(*flags));

	if (n < (ssize_t)sizeof(*flags))
		return n < 0 ? -errno : -EIO;
	return n / sizeof(*flags);
}

static bool is_tail(uint64_t flags)
{
	return flags >> KPF_COMPOUND_TAIL & 1;
}

/* The run begins inside a compound page: the head lies before it. */
static int track_head_before(struct page_idle *pi, uint64_t pfn)
{
	uint64_t flags[1 << ORDER_MAX];
	uint64_t start = pfn & ~((uint64_t)ARRAY_LEN(flags) - 1);
	int64_t nr = read_flags(pi, start, pfn - start, flags);

	if (nr < 0)
		return nr;
	while (nr-- && is_tail(flags[nr]))
		bitmap_set(pi->tail, start + nr - pi->first);
	if (nr >= 0)
		bitmap_set(pi->track, start + nr - pi->first);
	return 0;
}

/*
 * Finds which pages of the run are tails and which are to be tracked: heads and
 * single pages, but not the kernel's zero page, which is always idle.
 */
static int find_tracked(struct page_idle *pi, const struct pfn_run *run)
{
	uint64_t flags[FLAGS_MAX];
	uint64_t pfn = run->start;

	while (pfn < run->end) {
		int64_t nr = run->end - pfn < FLAGS_MAX ? run->end - pfn :
							  FLAGS_MAX;

		nr = access_is_stopping(&pi->base) ?
			     -ECANCELED : read_flags(pi, pfn, nr, flags);
		if (nr < 0)
			return nr;
		if (pfn == run->start && is_tail(flags[0]) &&
		    pfn % (1 << ORDER_MAX)) {
			int err = track_head_before(pi, pfn);

			if (err)
				return err;
		}
		for (int64_t i = 0; i < nr; i++, pfn++) {
			if (is_tail(flags[i]))
				bitmap_set(pi->tail, pfn - pi->first);
			else if (!(flags[i] >> KPF_ZERO_PAGE & 1))
				bitmap_set(pi->track, pfn - pi->first);
		}
	}
	return 0;
}

/*
 * Transfers the nonzero words of `track` between the kernel and buf, adjacent
 * words in one call.
 */
static int transfer(struct page_idle *pi, bool write_it, uint64_t *buf)
{
	uint64_t nr_words = BITMAP_WORDS(pi->nr_pfns), w = 0;

	while (w < nr_words) {
		uint64_t end = w;
		size_t len;
		off_t off = (pi->first / 64 + w) * sizeof(uint64_t);
		ssize_t n;

		while (end < nr_words && pi->track[end] && end - w < WORDS_MAX)
			end++;
		if (end == w) {
			w++;
			continue;
		}
		if (access_is_stopping(&pi->base))
			return -ECANCELED;
		len = (end - w) * sizeof(uint64_t);
		n = write_it ? pwrite(pi->bitmap_fd, buf + w, len, off) :
			       pread(pi->bitmap_fd, buf + w, len, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(uint64_t))
			return n < 0 ? -errno : -EIO;
		w += n / sizeof(uint64_t);
	}
	return 0;
}

static void skip_frames(void *arg, struct gfn_range part)
{
	struct page_idle *pi = arg;

	pfn_map_forget(pi->map, part);
}

/*
 * Finds the pages of range, except in blocks that the backoff skips.  The
 * number of resident pages, or -errno.
 */
static int64_t page_idle_find(struct page_idle *pi, struct gfn_range range,
			      bool at_rest)
{
	const uint64_t huge = UINT64_C(1) << ORDER_MAX;
	const struct pfn_run *runs = NULL;
	int nr, err = pfn_map_read(pi->map, range);
	uint64_t words;

	if (err)
		return err;
	backoff_begin(pi->backoff, range, at_rest, skip_frames, pi);
	nr = pfn_map_runs(pi->map, 0, MAX_RUNS, &runs);
	if (nr <= 0)
		return nr;
	pi->first = runs[0].start & ~(huge - 1);
	pi->nr_pfns = runs[nr - 1].end - pi->first;
	words = BITMAP_WORDS(pi->nr_pfns);
	err = grow(pi, words);
	if (err)
		return err;
	memset(pi->tail, 0, words * sizeof(uint64_t));
	memset(pi->track, 0, words * sizeof(uint64_t));
	for (int i = 0; i < nr; i++) {
		err = find_tracked(pi, &runs[i]);
		if (err)
			return err;
	}
	return pfn_map_nr_resident(pi->map);
}

static int page_idle_arm(struct access_source *src, struct gfn_range range)
{
	struct page_idle *pi = (struct page_idle *)src;
	int64_t nr = page_idle_find(pi, range, false);

	return nr <= 0 ? (int)nr : transfer(pi, true, pi->track);
}

static int harvest_piece(struct access_source *src, struct gfn_range range,
			 uint64_t *young)
{
	struct page_idle *pi = (struct page_idle *)src;
	int64_t nr = page_idle_find(pi, range, src->at_rest);
	int err = 0;

	if (nr < 0)
		return nr;
	if (nr)
		err = transfer(pi, false, pi->idle);
	if (err)
		return err;
	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	for (uint64_t i = 0; nr && i < range.nr; i++) {
		uint64_t pfn = pfn_map_pfn(pi->map, i), bit;

		if (!pfn)
			continue;
		bit = pfn - pi->first;
		while (bit && bitmap_test(pi->tail, bit))
			bit--;
		if (bitmap_test(pi->track, bit) && !bitmap_test(pi->idle, bit))
			bitmap_set(young, range.start.v + i);
	}
	backoff_end(pi->backoff, range, young);
	/*
	 * Pages that lost their idle mark are marked again: the next window
	 * begins.
	 */
	for (uint64_t w = 0; nr && w < BITMAP_WORDS(pi->nr_pfns); w++)
		pi->track[w] &= ~pi->idle[w];
	return nr ? transfer(pi, true, pi->track) : 0;
}

static int page_idle_harvest(struct access_source *src, struct gfn_range range,
			     uint64_t *young)
{
	return access_in_pieces(src, range, young, harvest_piece);
}

const struct access_source_ops access_source_page_idle = {
	.name = "page-idle",
	.what = "idle page tracking of the host kernel",
	.lru_only = true,
	.probe = page_idle_probe,
	.open = page_idle_open,
	.arm = page_idle_arm,
	.harvest = page_idle_harvest,
	.close = page_idle_close,
};
