// SPDX-License-Identifier: GPL-2.0-or-later
/* Idle page tracking, one page at a time, and clear_refs. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/abits.h"
#include "vmm/access/pfn-map.h"
#include "vmm/util/bitmap.h"

#define BITMAP_PATH "/sys/kernel/mm/page_idle/bitmap"

/* --- page_idle --------------------------------------------------------- */

struct idle {
	struct access_source base;	/* first */
	struct pfn_map *map;		/* owned */
	int fd;				/* owned */
	uint64_t step;			/* huge pages are tracked by their first */
};

static int idle_probe(const struct access_target *target, char *why, size_t len)
{
	(void)target;
	if (!access(BITMAP_PATH, R_OK | W_OK))
		return 0;
	snprintf(why, len, "no " BITMAP_PATH ": the kernel needs "
		 "CONFIG_IDLE_PAGE_TRACKING");
	return -ENOENT;
}

static int idle_open(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	struct idle *s = bench_check(calloc(1, sizeof(*s)));
	int err = pfn_map_new(&s->map, target->mem, why, len);

	if (err) {
		free(s);
		return err;
	}
	s->fd = open(BITMAP_PATH, O_RDWR | O_CLOEXEC);
	if (s->fd < 0) {
		err = -errno;
		snprintf(why, len, BITMAP_PATH ": %s", strerror(-err));
		pfn_map_free(s->map);
		free(s);
		return err;
	}
	s->base.ops = linux_page_idle.ops;
	s->step = guest_mem_leaf_pages(target->mem);
	*srcp = &s->base;
	return 0;
}

/* The page that is i frames into the range. */
static int mark_idle(const struct idle *s, uint64_t i)
{
	uint64_t pfn = pfn_map_pfn(s->map, i), word = UINT64_C(1) << pfn % 64;

	return !pfn || pwrite(s->fd, &word, 8, pfn / 64 * 8) == 8 ? 0 : -EIO;
}

static int idle_arm(struct access_source *src, struct gfn_range range)
{
	struct idle *s = (struct idle *)src;
	int err = pfn_map_read(s->map, range);

	for (uint64_t i = 0; !err && i < range.nr; i += s->step)
		err = mark_idle(s, i);
	return err;
}

static int idle_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct idle *s = (struct idle *)src;
	int err = pfn_map_read(s->map, range);
	uint64_t word;

	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	for (uint64_t i = 0; !err && i < range.nr; i += s->step) {
		uint64_t pfn = pfn_map_pfn(s->map, i);

		if (!pfn)
			continue;
		if (pread(s->fd, &word, 8, pfn / 64 * 8) != 8)
			return -EIO;
		if (word >> pfn % 64 & 1)
			continue;
		bitmap_set_range(young, range.start.v + i,
				 range.start.v + i + s->step);
		err = mark_idle(s, i);
	}
	return err;
}

static void idle_close(struct access_source *src)
{
	struct idle *s = (struct idle *)src;

	close(s->fd);
	pfn_map_free(s->map);
	free(s);
}

static const struct access_source_ops idle_ops = {
	.name = "linux-page_idle",
	.what = "idle page tracking, one PFN a call",
	.probe = idle_probe,
	.open = idle_open,
	.arm = idle_arm,
	.harvest = idle_harvest,
	.close = idle_close,
};

const struct way linux_page_idle = { .ops = &idle_ops };

/* --- clear_refs -------------------------------------------------------- */

struct refs {
	struct access_source base;	/* first */
	const struct guest_mem *mem;
	int fd;				/* owned: clear_refs */
	FILE *smaps;			/* owned */
};

static int refs_probe(const struct access_target *target, char *why, size_t len)
{
	if (!access("/proc/self/clear_refs", W_OK) &&
	    guest_mem_pid(target->mem) == getpid())
		return 0;
	snprintf(why, len, "no /proc/self/clear_refs: the kernel needs "
		 "CONFIG_PROC_PAGE_MONITOR");
	return -ENOENT;
}

static int refs_open(struct access_source **srcp,
		     const struct access_target *target, char *why, size_t len)
{
	struct refs *s = bench_check(calloc(1, sizeof(*s)));

	s->base.ops = linux_clear_refs.ops;
	s->mem = target->mem;
	s->fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	s->smaps = fopen("/proc/self/smaps", "re");
	if (s->fd >= 0 && s->smaps) {
		*srcp = &s->base;
		return 0;
	}
	snprintf(why, len, "/proc/self: %s", strerror(errno));
	s->base.ops->close(&s->base);
	return -EACCES;
}

static int refs_arm(struct access_source *src, struct gfn_range range)
{
	struct refs *s = (struct refs *)src;

	(void)range;
	return pwrite(s->fd, "1", 1, 0) == 1 ? 0 : -errno;
}

/* "Referenced" of the mappings that overlap [from, to). */
static uint64_t referenced_pages(FILE *smaps, uint64_t from, uint64_t to)
{
	uint64_t start, end, kib, sum = 0;
	bool inside = false;
	char line[4096];

	rewind(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start < to && end > from;
		else if (inside &&
			 sscanf(line, "Referenced: %" SCNu64, &kib) == 1)
			sum += kib / 4;
	}
	return sum;
}

static int refs_harvest(struct access_source *src, struct gfn_range range,
			uint64_t *young)
{
	struct refs *s = (struct refs *)src;
	uint64_t hva, nr;

	if (!guest_mem_gfn_to_hva(s->mem, range.start, &hva))
		return -EFAULT;
	nr = referenced_pages(s->smaps, hva,
			      hva + (range.nr << VMM_PAGE_SHIFT));
	if (nr > range.nr)
		nr = range.nr;
	bitmap_clear_range(young, range.start.v, range.start.v + range.nr);
	bitmap_set_range(young, range.start.v, range.start.v + nr);
	return refs_arm(src, range);
}

static void refs_close(struct access_source *src)
{
	struct refs *s = (struct refs *)src;

	if (s->fd >= 0)
		close(s->fd);
	if (s->smaps)
		fclose(s->smaps);
	free(s);
}

static const struct access_source_ops refs_ops = {
	.name = "linux-clear_refs",
	.what = "/proc/PID/clear_refs and smaps: a sum, no pages",
	.probe = refs_probe,
	.open = refs_open,
	.arm = refs_arm,
	.harvest = refs_harvest,
	.close = refs_close,
};

const struct way linux_clear_refs = { .ops = &refs_ops };
