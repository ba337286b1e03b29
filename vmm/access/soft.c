// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Accesses without any accessed bit: guest memory in a memfd is unmapped, and
 * what is mapped again was touched.  Neither privilege nor a module nor a
 * feature of KVM is needed; the price is a minor fault for each touched page.
 *
 *   arm:      MADV_DONTNEED: page table entries go, ours and by KVM's notifier
 *             the guest's; the pages stay in the page cache
 *   touch:    the fault finds the page and maps it
 *   harvest:  pagemap says what is mapped
 *
 * An unmapped page costs nothing however often it is looked at, so the cost is
 * that of the hot pages only, and a budget of faults a second bounds it: memory
 * is armed anew a chunk at a time, round and round, as far as the budget goes
 * by what chunks cost of late.  A page of a chunk that has not had its turn
 * stays mapped and counts as young.  So a budget makes the source slow to see
 * that a hot page became cold, but never calls a touched page idle; and it can
 * say which pages it called young without knowing.
 *
 * Pages of the host's pool of 2 MiB (hugetlb) work the same, a fault for each.
 *
 * A page touched between the look at its group and the unmapping of it (some
 * 100 us) is lost to both windows.
 *
 * The kernel maps up to 64 KiB around a page that a read fault finds in the
 * page cache (mm/memory.c, do_fault_around).  It does not where a userfaultfd
 * is registered for write-protect faults; ours never protects anything.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/access/sources.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1		/* Linux 5.11 */
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)	/* Linux 5.19 */
#endif

#define CHUNK_PAGES   512u	/* armed at a time: 2 MiB */
#define GROUP_CHUNKS  8u	/* looked at, then armed */
#define AROUND_PAGES  16u	/* mapped around a read fault */
#define REST_SHARE    5		/* of the budget is used when nothing is to go */
#define MAX_SAVED_S   10	/* a budget not used is kept for so long */
#define MAX_DEBT_S    1		/* a guest that fills its memory overdraws it */
#define FIRST_COST    128	/* faults that a chunk costs, for a beginning */
#define COST_SHIFT    6		/* weight of one chunk in the mean: 1/64 */

struct chunk {
	uint16_t mapped;	/* pages, after the last look */
	bool known;		/* looked at before */
	bool armed;		/* in the last look */
	bool assumed;		/* what was mapped was so before that look */
	bool pending;		/* has not been armed in this round */
};

struct soft {
	struct access_source base;	/* first */
	struct guest_mem *mem;		/* not owned */
	int uffd;			/* owned; -1: none */
	struct chunk *chunks;		/* owned; by gfn / CHUNK_PAGES */
	uint64_t nr_known, nr_pending;
	int64_t budget;			/* faults; below 0 when overdrawn */
	uint64_t per_second;
	uint64_t fault_pages;		/* mapped by one fault, in hugetlb memory */
	uint64_t last_ns;
	double cost;			/* faults of an armed chunk, mean */
};

static int soft_probe(const struct access_target *target, char *why, size_t len)
{
	if (guest_mem_pid(target->mem) != getpid()) {
		snprintf(why, len, "soft unmaps memory of its own process: it "
			 "can't serve another's guest");
		return -EOPNOTSUPP;
	}
	if (guest_mem_backing(target->mem) == GUEST_MEM_HUGETLB_1G) {
		snprintf(why, len, "soft unmaps 2 MiB at a time, which pages of "
			 "1 GiB can't be: use --mem-backing hugetlb=2M");
		return -EOPNOTSUPP;
	}
	if (guest_mem_backing(target->mem) != GUEST_MEM_MEMFD &&
	    guest_mem_backing(target->mem) != GUEST_MEM_HUGETLB) {
		snprintf(why, len, "soft needs guest memory in a memfd: start "
			 "the guest with --mem-backing memfd");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* "faults=N", or NULL.  0 or -EINVAL. */
static int parse_options(const char *options, uint64_t *per_second, char *why,
			 size_t len)
{
	char *end = NULL;

	*per_second = SOFT_FAULTS_PER_SECOND;
	if (!options)
		return 0;
	if (!strncmp(options, "faults=", 7) && options[7] >= '0' &&
	    options[7] <= '9')
		*per_second = strtoull(options + 7, &end, 10);
	if (!end || *end || !*per_second || *per_second > SOFT_MAX_FAULTS) {
		snprintf(why, len, "\"soft,%s\": it is soft, or soft,faults=N "
			 "with N faults a second, 1 to %u", options,
			 SOFT_MAX_FAULTS);
		return -EINVAL;
	}
	return 0;
}

/*
 * Keeps the kernel from mapping around faults.  The descriptor, or -errno;
 * -EALREADY: somebody does.
 */
static int stop_fault_around(const struct guest_mem *mem)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	const struct guest_memslot *slots;
	int fd, rc = 0;
	unsigned int nr;

	if (guest_mem_has_faults(mem))
		return -EALREADY;
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api))
		rc = -errno;
	slots = guest_mem_slots(mem, &nr);
	for (unsigned int i = 0; !rc && i < nr; i++) {
		struct uffdio_register reg = {
			.range = { slots[i].hva,
				   slots[i].nr_pages << VMM_PAGE_SHIFT },
			.mode = UFFDIO_REGISTER_MODE_WP,
		};

		if (ioctl(fd, UFFDIO_REGISTER, &reg))
			rc = -errno;
	}
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

static void soft_close(struct access_source *src)
{
	struct soft *s = (struct soft *)src;

	if (s->uffd >= 0)
		close(s->uffd);
	free(s->chunks);
	free(s);
}

static int soft_open(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	struct soft *s;
	uint64_t per_second, nr;
	int rc = soft_probe(target, why, len);

	if (!rc)
		rc = parse_options(target->options, &per_second, why, len);
	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	nr = guest_mem_nr_frames(target->mem) / CHUNK_PAGES + 1;
	s->chunks = calloc(nr, sizeof(*s->chunks));
	if (!s->chunks) {
		free(s);
		return -ENOMEM;
	}
	s->mem = target->mem;
	s->uffd = stop_fault_around(target->mem);
	s->per_second = s->budget = per_second;
	s->last_ns = clock_now_ns();
	s->fault_pages = guest_mem_leaf_pages(target->mem);
	s->cost = s->fault_pages > 1 ? 1 : FIRST_COST;
	s->base = (struct access_source){
		.ops = &access_source_soft,
		.granule_pages = s->fault_pages > 1 ? s->fault_pages :
				 s->uffd < 0 && s->uffd != -EALREADY ?
				 AROUND_PAGES : 1,
		.cost = ACCESS_COST_FAULT,
	};
	*srcp = &s->base;
	return 0;
}

/* Whole chunks of a range: [*first, *end). */
static void whole_chunks(struct gfn_range range, uint64_t *first, uint64_t *end)
{
	*first = (range.start.v + CHUNK_PAGES - 1) / CHUNK_PAGES;
	*end = (range.start.v + range.nr) / CHUNK_PAGES;
}

static int soft_arm(struct access_source *src, struct gfn_range range)
{
	struct soft *s = (struct soft *)src;
	uint64_t c, end;
	int rc;

	if (!range.nr)
		return 0;
	rc = guest_mem_unmap(s->mem, range);
	if (rc)
		return rc;
	for (whole_chunks(range, &c, &end); c < end; c++)
		s->chunks[c].mapped = 0;
	return 0;
}

/* The budget grows with time. */
static void earn(struct soft *s)
{
	uint64_t now = clock_now_ns();
	double rate = s->per_second / (s->base.at_rest ? REST_SHARE : 1.0);
	double earned = (now - s->last_ns) / 1e9 * rate;
	int64_t most = s->per_second * MAX_SAVED_S;
	int64_t least = -(int64_t)s->per_second * MAX_DEBT_S;

	/* Less than one is left to the next time. */
	if (earned < 1)
		return;
	s->last_ns = now;
	if (s->budget < least)
		s->budget = least;
	s->budget = s->budget + earned > most ? most : s->budget + earned;
}

static void begin_round(struct soft *s)
{
	uint64_t nr = guest_mem_nr_frames(s->mem) / CHUNK_PAGES + 1;

	for (uint64_t c = 0; c < nr; c++)
		s->chunks[c].pending = s->chunks[c].known;
	s->nr_pending = s->nr_known;
}

/* Pays for the faults of a chunk of which nr pages are mapped now. */
static void settle(struct soft *s, struct chunk *chunk, unsigned int nr)
{
	if (!chunk->known) {
		chunk->known = chunk->pending = true;
		s->nr_known++;
		s->nr_pending++;
	} else if (nr > chunk->mapped) {
		s->budget -= (nr - chunk->mapped) / s->fault_pages;
	}
	/* Those mapped since the look before are not told from the others. */
	chunk->assumed = !chunk->armed && chunk->mapped;
	if (chunk->armed)
		s->cost += ((double)nr / s->fault_pages - s->cost) /
			   (1 << COST_SHIFT);
	chunk->mapped = nr;
	chunk->armed = false;
}

/* Whether the chunk is to be armed now.  *left: of the budget, if costs stay. */
static bool take_turn(struct soft *s, struct chunk *chunk, double *left)
{
	if (!chunk->pending || (chunk->mapped && *left <= 0))
		return false;
	chunk->pending = false;
	s->nr_pending--;
	if (!chunk->mapped)
		return false;	/* it is as it would be */
	chunk->armed = true;
	*left -= s->cost;
	return true;
}

/* Arms those of the chunks [c, end) whose turn it is. */
static int arm_group(struct soft *s, uint64_t c, uint64_t end,
		     const uint64_t *young, double *left)
{
	uint64_t first = c;	/* of a run to be armed */

	for (; c <= end; c++) {
		struct gfn_range run = { GFN(first * CHUNK_PAGES),
					 (c - first) * CHUNK_PAGES };
		bool turn = false;
		int rc;

		if (c < end) {
			settle(s, &s->chunks[c],
			       bitmap_count(young, c * CHUNK_PAGES,
					    (c + 1) * CHUNK_PAGES));
			turn = take_turn(s, &s->chunks[c], left);
		}
		if (turn)
			continue;
		rc = soft_arm(&s->base, run);
		if (rc)
			return rc;
		first = c + 1;
	}
	return 0;
}

static int soft_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct soft *s = (struct soft *)src;
	uint64_t g = range.start.v, end = g + range.nr, next, first, last;
	double left;
	int rc = 0;

	earn(s);
	if (!s->nr_pending)
		begin_round(s);
	left = s->budget;
	for (; !rc && g < end; g = next) {
		next = (g / CHUNK_PAGES + GROUP_CHUNKS) * CHUNK_PAGES;
		if (next > end)
			next = end;
		struct gfn_range group = { GFN(g), next - g };

		rc = guest_mem_mapped(s->mem, group, young);
		whole_chunks(group, &first, &last);
		if (!rc && first < last)
			rc = arm_group(s, first, last, young, &left);
	}
	return rc;
}

/* A chunk that was looked at in part only is as it was before. */
static void soft_assumed(struct access_source *src, struct gfn_range range,
			 uint64_t *assumed)
{
	struct soft *s = (struct soft *)src;
	uint64_t g = range.start.v, end = g + range.nr, next, first, last;

	whole_chunks(range, &first, &last);
	for (; g < end; g = next) {
		uint64_t c = g / CHUNK_PAGES;
		const struct chunk *chunk = &s->chunks[c];

		next = (c + 1) * CHUNK_PAGES;
		if (next > end)
			next = end;
		bitmap_clear_range(assumed, g, next);
		if (c >= first && c < last ? chunk->assumed :
					     !chunk->armed && chunk->mapped)
			bitmap_set_range(assumed, g, next);
	}
}

const struct access_source_ops access_source_soft = {
	.name = "soft",
	.what = "unmaps guest memory and sees what is mapped again",
	.backing = GUEST_MEM_MEMFD,
	.probe = soft_probe,
	.open = soft_open,
	.arm = soft_arm,
	.harvest = soft_harvest,
	.assumed = soft_assumed,
	.close = soft_close,
};
