// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames: /proc/PID/pagemap has the frame of each page, /proc/kpageflags the
 * flags of each frame (Documentation/admin-guide/mm/pagemap.rst).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define BATCH	   8192		/* entries read at a time */
#define PAGE_SHIFT 12
#define PAGE_SIZE  (UINT64_C(1) << PAGE_SHIFT)

/* A larger region is taken for reserved address space and not read. */
#define MAX_REGION_PAGES (UINT64_C(1) << 24)

#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_PFN	   ((UINT64_C(1) << 55) - 1)

#define KPF_DIRTY	(UINT64_C(1) << 4)
#define KPF_LRU		(UINT64_C(1) << 5)
#define KPF_SLAB	(UINT64_C(1) << 7)
#define KPF_BUDDY	(UINT64_C(1) << 10)
#define KPF_ANON	(UINT64_C(1) << 12)
#define KPF_SWAPBACKED	(UINT64_C(1) << 14)
#define KPF_HUGE	(UINT64_C(1) << 17)
#define KPF_UNEVICTABLE (UINT64_C(1) << 18)
#define KPF_NOPAGE	(UINT64_C(1) << 20)
#define KPF_KSM		(UINT64_C(1) << 21)
#define KPF_THP		(UINT64_C(1) << 22)
#define KPF_ZERO_PAGE	(UINT64_C(1) << 24)
#define KPF_PGTABLE	(UINT64_C(1) << 26)
#define KPF_RESERVED	(UINT64_C(1) << 32)
#define KPF_MLOCKED	(UINT64_C(1) << 33)

/*
 * The highest frame of RAM + 1, from /proc/iomem.  kpageflags extends beyond,
 * to the end of a section of the kernel's memory map.
 */
static int highest_frame(uint64_t *nr)
{
	FILE *f = fopen("/proc/iomem", "re");
	char line[256];
	uint64_t start, end, top = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
		    strstr(line, ": System RAM") && end > top)
			top = end;
	fclose(f);
	/* Without privilege all addresses read as 0. */
	if (!top)
		return -EPERM;
	*nr = (top + 1) >> PAGE_SHIFT;
	return 0;
}

/* The amount of memory, which is known without privilege. */
static uint64_t frames_by_size(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES);
}

int frames_init(struct frames *f, char *why, size_t len)
{
	uint64_t entry;
	int fd;

	memset(f, 0, sizeof(*f));
	if (highest_frame(&f->nr)) {
		f->nr = frames_by_size();
		f->flags_fd = -1;
	} else {
		f->flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
		f->have_pfns = true;
	}
	fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	f->have_count = fd >= 0 && pread(fd, &entry, sizeof(entry), 0) > 0;
	if (fd >= 0)
		close(fd);
	f->flags = calloc(f->nr, sizeof(*f->flags));
	f->zero = calloc(f->nr / 8 + 1, 1);
	if (f->flags && f->zero)
		return 0;
	frames_destroy(f);
	snprintf(why, len, "not enough memory for the flags of %" PRIu64 " "
		 "frames",
		 f->nr);
	return -ENOMEM;
}

bool frames_have_grown(const struct frames *f)
{
	uint64_t nr;

	return f->have_pfns && !highest_frame(&nr) && nr > f->nr;
}

void frames_destroy(struct frames *f)
{
	if (f->flags_fd >= 0)
		close(f->flags_fd);
	free(f->flags);
	free(f->zero);
	f->flags = NULL;
	f->zero = NULL;
	f->flags_fd = -1;
}

static uint16_t translate(uint64_t k)
{
	uint16_t v = 0;

	if (k & KPF_NOPAGE)
		return PROTOCOL_PG_RESERVED;
	if (k & (KPF_UNEVICTABLE | KPF_MLOCKED))
		v |= PROTOCOL_PG_LOCKED;
	if (k & KPF_RESERVED)
		v |= PROTOCOL_PG_RESERVED;
	if (k & KPF_BUDDY)
		v |= PROTOCOL_PG_FREE;
	if (k & KPF_SLAB)
		v |= PROTOCOL_PG_SLAB;
	if (k & KPF_PGTABLE)
		v |= PROTOCOL_PG_PGTABLE;
	if (k & KPF_ANON)
		v |= PROTOCOL_PG_ANON;
	else if ((k & KPF_LRU) && !(k & KPF_SWAPBACKED))
		v |= PROTOCOL_PG_FILE;
	if (k & KPF_DIRTY)
		v |= PROTOCOL_PG_DIRTY;
	if (k & KPF_KSM)
		v |= PROTOCOL_PG_KSM;
	if (k & (KPF_HUGE | KPF_THP))
		v |= PROTOCOL_PG_HUGE;
	if (k & KPF_SWAPBACKED)
		v |= PROTOCOL_PG_SWAPBACKED;
	return v;
}

struct flag_writer {
	struct stream *s;
	struct protocol_flags run;
};

static void flush_run(struct flag_writer *w)
{
	if (w->run.count)
		stream_put_flags(w->s, &w->run);
	w->run.count = 0;
}

static void put_flags(struct flag_writer *w, uint64_t gfn, uint16_t flags)
{
	if (w->run.count && w->run.flags == flags &&
	    w->run.gfn + w->run.count == gfn) {
		w->run.count++;
		return;
	}
	flush_run(w);
	w->run = (struct protocol_flags){ .gfn = gfn, .count = 1,
					  .flags = flags };
}

static void note_flags(struct frames *f, struct flag_writer *w, uint64_t gfn,
		       uint16_t flags, bool all)
{
	if (all || flags != f->flags[gfn])
		put_flags(w, gfn, flags);
	f->flags[gfn] = flags;
}

void frames_send_flags(struct frames *f, struct stream *s, bool all)
{
	static uint64_t entries[BATCH];
	struct flag_writer w = { .s = s };
	uint64_t gfn = 0;
	ssize_t n;

	if (f->flags_fd < 0)
		return;
	while (gfn < f->nr) {
		uint64_t max = f->nr - gfn < BATCH ? f->nr - gfn : BATCH;

		n = pread(f->flags_fd, entries, max * sizeof(*entries),
			  gfn * sizeof(*entries));
		n = n > 0 ? n / (ssize_t)sizeof(*entries) : 0;
		if (!n)
			break;
		for (ssize_t i = 0; i < n; i++, gfn++) {
			uint16_t flags = translate(entries[i]);

			if (entries[i] & KPF_ZERO_PAGE)
				f->zero[gfn / 8] |= 1 << gfn % 8;
			else
				f->zero[gfn / 8] &= ~(1 << gfn % 8);
			note_flags(f, &w, gfn, flags, all);
		}
	}
	/* The rest could not be read; if not sent, it counts as unchanged. */
	for (; gfn < f->nr; gfn++)
		note_flags(f, &w, gfn, 0, all);
	flush_run(&w);
}

static int add_page(struct proc_snapshot *snap, struct region *r,
		    uint64_t vaddr, uint64_t gfn)
{
	struct protocol_run *last =
		r->nr_runs ? &snap->runs[snap->nr_runs - 1] : NULL;
	int rc;

	if (last && last->vaddr + last->count * PAGE_SIZE == vaddr &&
	    last->gfn + last->count == gfn) {
		last->count++;
		return 0;
	}
	rc = array_grow((void **)&snap->runs, snap->nr_runs, &snap->max_runs,
			sizeof(*snap->runs));
	if (rc)
		return rc;
	snap->runs[snap->nr_runs++] = (struct protocol_run){
		.vaddr = vaddr, .gfn = gfn, .count = 1,
	};
	r->nr_runs++;
	return 0;
}

static bool is_zero_page(const struct frames *f, uint64_t gfn)
{
	return f->zero[gfn / 8] >> gfn % 8 & 1;
}

static int read_region(const struct frames *f, int fd,
		       struct proc_snapshot *snap, struct region *r)
{
	static uint64_t entries[BATCH];
	uint64_t vpn = r->start >> PAGE_SHIFT, end = r->end >> PAGE_SHIFT;
	int rc = 0;

	r->first_run = snap->nr_runs;
	r->nr_runs = 0;
	if (end - vpn > MAX_REGION_PAGES)
		return 0;
	while (vpn < end && !rc) {
		uint64_t n = end - vpn < BATCH ? end - vpn : BATCH;
		ssize_t got = pread(fd, entries, n * sizeof(*entries),
				    vpn * sizeof(*entries));

		/* 0 bytes: the process is exiting and has no memory. */
		if (got <= 0)
			return got ? -errno : 0;
		n = got / sizeof(*entries);
		for (uint64_t i = 0; i < n && !rc; i++) {
			uint64_t gfn = entries[i] & PM_PFN;

			/* No frame number, or device memory. */
			if (!(entries[i] & PM_PRESENT) || !gfn ||
			    gfn >= f->nr || is_zero_page(f, gfn))
				continue;
			rc = add_page(snap, r, (vpn + i) << PAGE_SHIFT, gfn);
		}
		vpn += n;
	}
	return rc;
}

int frames_read_runs(const struct frames *f, pid_t pid,
		     struct proc_snapshot *snap)
{
	char path[64];
	int fd, rc = 0;

	if (!f->have_pfns)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < snap->nr_regions && !rc; i++)
		rc = read_region(f, fd, snap, &snap->regions[i]);
	close(fd);
	return rc;
}
