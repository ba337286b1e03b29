// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frame flags from /proc/kpageflags; the bits are the kernel's
 * include/uapi/linux/kernel-page-flags.h and fs/proc/page.c (the last two).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define FRAMES_BATCH 8192

static const struct { uint8_t bit; uint16_t flags; } bits[] = {
	{ 4, PROTOCOL_PG_DIRTY }, { 7, PROTOCOL_PG_SLAB },
	{ 10, PROTOCOL_PG_FREE }, { 12, PROTOCOL_PG_ANON },
	{ 14, PROTOCOL_PG_SWAPBACKED }, { 17, PROTOCOL_PG_HUGE },
	{ 18, PROTOCOL_PG_LOCKED }, { 21, PROTOCOL_PG_KSM },
	{ 22, PROTOCOL_PG_HUGE }, { 26, PROTOCOL_PG_PGTABLE },
	{ 32, PROTOCOL_PG_RESERVED }, { 33, PROTOCOL_PG_LOCKED },
};

static uint16_t translate(uint64_t kpf)
{
	uint16_t flags = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (kpf >> bits[i].bit & 1)
			flags |= bits[i].flags;
	/* On the LRU and not anonymous: page cache. */
	if ((kpf >> 5 & 1) && !(kpf >> 12 & 1))
		flags |= PROTOCOL_PG_FILE;
	return flags;
}

static uint64_t count_frames(void)
{
	uint64_t spanned = 0, start, max = 0;
	char line[256];
	FILE *f = fopen("/proc/zoneinfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " spanned %" SCNu64, &spanned) == 1)
			continue;
		if (sscanf(line, " start_pfn: %" SCNu64, &start) == 1 &&
		    spanned && start + spanned > max)
			max = start + spanned;
	}
	if (f)
		fclose(f);
	return max;
}

int pages_open(struct pages *p)
{
	*p = (struct pages){ .fd = -1, .nr_frames = count_frames() };
	if (!p->nr_frames)
		return -ENOENT;
	p->last = calloc(p->nr_frames, sizeof(*p->last));
	if (!p->last)
		return -ENOMEM;
	p->fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	return 0;
}

void pages_close(struct pages *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->last);
}

struct flag_batch {
	uint32_t nr;
	struct protocol_flags rec[PROTOCOL_MAX_RECORDS];
};

static void flush_flags(struct flag_batch *b, struct out *out)
{
	struct protocol_message m = { .type = PROTOCOL_FLAGS, .nr = b->nr,
				      .flags = b->rec };

	if (b->nr)
		out_send(out, &m);
	b->nr = 0;
}

static void add_flags(struct flag_batch *b, struct out *out, uint64_t gfn,
		      uint16_t flags)
{
	struct protocol_flags *last = b->nr ? &b->rec[b->nr - 1] : NULL;

	if (last && last->gfn + last->count == gfn && last->flags == flags) {
		last->count++;
		return;
	}
	if (b->nr == PROTOCOL_MAX_RECORDS)
		flush_flags(b, out);
	b->rec[b->nr++] = (struct protocol_flags){ gfn, 1, flags };
}

void pages_send(struct pages *p, struct out *out, bool all)
{
	static uint64_t kpf[FRAMES_BATCH];
	static struct flag_batch b;

	for (uint64_t at = 0; p->fd >= 0 && at < p->nr_frames;) {
		size_t want = p->nr_frames - at < FRAMES_BATCH ?
			      p->nr_frames - at : FRAMES_BATCH;
		ssize_t n = pread(p->fd, kpf, want * 8, at * 8);

		if (n < 8)
			break;
		n /= 8;
		for (ssize_t i = 0; i < n; i++) {
			uint16_t flags = translate(kpf[i]);

			if (all || flags != p->last[at + i])
				add_flags(&b, out, at + i, flags);
			p->last[at + i] = flags;
		}
		at += n;
	}
	flush_flags(&b, out);
}
