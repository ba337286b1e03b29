// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/guest/record.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

#define MAX_LINE 256

enum run_kind { RUN_NONE, RUN_MAP, RUN_UNMAP, RUN_FLAGS };

/* Neighbouring pages from addr on, or frames from gfn on, for one line. */
struct run {
	enum run_kind kind;
	uint32_t pid, flags;
	uint64_t addr, gfn, count;
};

struct record {
	int fd;			/* owned; -1: recording has stopped */
	char *path;		/* owned */
	uint64_t max_bytes;
	uint64_t written;	/* bytes in the file */
	uint64_t complete;	/* of these, up to the last complete report */
	struct run run;		/* not in buf yet */
	size_t fill;		/* bytes in buf, not in the file yet */
	char buf[65536];
};

static void stop(struct record *rec, const char *why)
{
	log_warn("--agent-record %s: %s; recording stops, the guest keeps "
		 "running",
		 rec->path, why);
	/* A device cannot be truncated, and need not be. */
	if (ftruncate(rec->fd, (off_t)rec->complete))
		log_debug("--agent-record %s: cannot truncate it to the last "
			  "complete report", rec->path);
	close(rec->fd);
	rec->fd = -1;
}

static void flush(struct record *rec)
{
	size_t at = 0;

	while (rec->fd >= 0 && at < rec->fill) {
		ssize_t n = write(rec->fd, rec->buf + at, rec->fill - at);

		if (n > 0)
			at += (size_t)n;
		else if (!n || errno != EINTR)
			stop(rec, error_text(n ? errno : ENOSPC));
	}
	rec->written += at;
	rec->fill = 0;
}

__attribute__((format(printf, 2, 3))) static void
put(struct record *rec, const char *fmt, ...)
{
	va_list ap;

	if (rec->fd < 0)
		return;
	if (sizeof(rec->buf) - rec->fill < MAX_LINE)
		flush(rec);
	if (rec->fd >= 0 &&
	    rec->written + rec->fill + MAX_LINE > rec->max_bytes) {
		stop(rec, "the recording has reached its largest size");
		return;
	}
	va_start(ap, fmt);
	rec->fill += (size_t)vsnprintf(rec->buf + rec->fill, MAX_LINE, fmt, ap);
	va_end(ap);
}

static void end_run(struct record *rec)
{
	const struct run *r = &rec->run;

	if (r->kind == RUN_MAP)
		put(rec, "map %" PRIu32 " %#" PRIx64 " %" PRIu64, r->pid,
		    r->addr, r->gfn);
	else if (r->kind == RUN_UNMAP)
		put(rec, "unmap %" PRIu32 " %#" PRIx64, r->pid, r->addr);
	else if (r->kind == RUN_FLAGS)
		put(rec, "flags %" PRIu64 " %#" PRIx32, r->gfn, r->flags);
	if (r->kind != RUN_NONE && r->count > 1)
		put(rec, " %" PRIu64, r->count);
	if (r->kind != RUN_NONE)
		put(rec, "\n");
	rec->run.kind = RUN_NONE;
}

/* Adds a page to the current run, or begins a new run with it. */
static void add_page(struct record *rec, const struct run *page)
{
	struct run *r = &rec->run;

	if (r->kind == page->kind && r->pid == page->pid &&
	    r->flags == page->flags && page->gfn == r->gfn +
	    (page->kind == RUN_UNMAP ? 0 : r->count) &&
	    page->addr == r->addr + (page->kind == RUN_FLAGS ? 0 :
				     r->count * RMAP_PAGE_SIZE)) {
		r->count++;
		return;
	}
	end_run(rec);
	*r = *page;
	r->count = 1;
}

int record_open(struct record **recp, const char *path, uint64_t nr_frames,
		uint64_t max_bytes)
{
	struct record *rec = calloc(1, sizeof(*rec));
	int rc = -ENOMEM;

	if (!rec)
		return rc;
	rec->path = strdup(path);
	if (!rec->path)
		goto err_rec;
	/* A pipe that nobody reads must not block the guest. */
	rec->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		       O_NONBLOCK, 0600);
	if (rec->fd < 0) {
		rc = -errno;
		goto err_path;
	}
	rec->max_bytes = max_bytes;
	put(rec, "frames %" PRIu64 "\n", nr_frames);
	*recp = rec;
	return 0;

err_path:
	free(rec->path);
err_rec:
	free(rec);
	return rc;
}

void record_close(struct record *rec)
{
	if (!rec)
		return;
	end_run(rec);
	flush(rec);
	if (rec->fd >= 0)
		close(rec->fd);
	free(rec->path);
	free(rec);
}

void record_mm(struct record *rec, uint32_t pid)
{
	if (!rec)
		return;
	end_run(rec);
	put(rec, "mm %" PRIu32 "\n", pid);
}

void record_exit(struct record *rec, uint32_t pid)
{
	if (!rec)
		return;
	end_run(rec);
	put(rec, "exit %" PRIu32 "\n", pid);
}

void record_mmap(struct record *rec, uint32_t pid,
		 const struct rmap_vma_desc *d)
{
	if (!rec)
		return;
	end_run(rec);
	put(rec, "mmap %" PRIu32 " %#" PRIx64 " %#" PRIx64 " %" PRIu64
	    " %#" PRIx32 " %" PRIu64, pid, d->start, d->end, d->pgoff, d->flags,
	    d->file.ino);
	if (d->file.ino)
		put(rec, " %" PRIu64, d->file.dev);
	put(rec, "\n");
}

void record_munmap(struct record *rec, uint32_t pid, uint64_t start)
{
	if (!rec)
		return;
	end_run(rec);
	put(rec, "munmap %" PRIu32 " %#" PRIx64 "\n", pid, start);
}

void record_map(struct record *rec, uint32_t pid, uint64_t addr, gfn_t gfn)
{
	const struct run page = { .kind = RUN_MAP, .pid = pid, .addr = addr,
				  .gfn = gfn.v };

	if (rec)
		add_page(rec, &page);
}

void record_unmap(struct record *rec, uint32_t pid, uint64_t addr)
{
	const struct run page = { .kind = RUN_UNMAP, .pid = pid, .addr = addr };

	if (rec)
		add_page(rec, &page);
}

void record_flags(struct record *rec, gfn_t gfn, uint32_t flags)
{
	const struct run page = { .kind = RUN_FLAGS, .gfn = gfn.v,
				  .flags = flags };

	if (rec)
		add_page(rec, &page);
}

void record_flags_scan(struct record *rec, enum record_scan scan)
{
	if (!rec)
		return;
	end_run(rec);
	put(rec, "flags-scan %d\n", (int)scan);
}

void record_sync(struct record *rec)
{
	if (!rec)
		return;
	end_run(rec);
	flush(rec);
	rec->complete = rec->written;
}
