// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/rmap-trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FILE_DEV 8	/* where a trace names none */

const char *const trace_op_names[NR_TRACE_OPS] = {
	"mm", "fork", "exit", "mmap", "munmap", "mremap", "map", "unmap",
	"flags", "flags-scan", "ref",
};

void trace_add(struct trace *t, struct trace_event event)
{
	if (t->nr == t->max) {
		t->max = t->max ? t->max * 2 : 256;
		t->events = realloc(t->events, t->max * sizeof(*t->events));
		if (!t->events)
			abort();
	}
	t->events[t->nr++] = event;
}

void trace_free(struct trace *t)
{
	free(t->events);
	*t = (struct trace){ 0 };
}

void trace_print_event(FILE *f, const struct trace_event *e)
{
	bool of_frame = e->op == TRACE_REF || e->op == TRACE_FLAGS;

	fputs(trace_op_names[e->op], f);
	if (e->op == TRACE_FLAGS_SCAN)
		fprintf(f, " %" PRIu64, e->arg);
	else if (!of_frame)
		fprintf(f, " %u", e->mm);
	if (e->op == TRACE_FORK)
		fprintf(f, " %u", e->child);
	if (of_frame)
		fprintf(f, " %" PRIu64, e->addr);
	else if (e->op >= TRACE_MMAP && e->op != TRACE_FLAGS_SCAN)
		fprintf(f, " %#" PRIx64, e->addr);
	if (e->op == TRACE_MMAP)
		fprintf(f, " %#" PRIx64 " %" PRIu64 " %#x %" PRIu64, e->arg,
			e->pgoff, e->flags, e->ino);
	if (e->op == TRACE_MMAP && e->ino)
		fprintf(f, " %" PRIu64, e->dev);
	else if (e->op == TRACE_MREMAP)
		fprintf(f, " %#" PRIx64, e->arg);
	else if (e->op == TRACE_MAP)
		fprintf(f, " %" PRIu64, e->arg);
	else if (e->op == TRACE_FLAGS)
		fprintf(f, " %#x %" PRIu64, e->flags, e->arg);
	fputc('\n', f);
}

void trace_print(FILE *f, const struct trace *t)
{
	fprintf(f, "frames %" PRIu64 "\n", t->nr_frames);
	for (size_t i = 0; i < t->nr; i++)
		trace_print_event(f, &t->events[i]);
}

/* How many numbers follow the word, by operation: at least, at most. */
static const unsigned int nr_args[NR_TRACE_OPS][2] = {
	[TRACE_MM] = { 1, 1 },	   [TRACE_FORK] = { 2, 2 },
	[TRACE_EXIT] = { 1, 1 },   [TRACE_MMAP] = { 6, 7 },
	[TRACE_MUNMAP] = { 2, 2 }, [TRACE_MREMAP] = { 3, 3 },
	[TRACE_MAP] = { 3, 4 },	   [TRACE_UNMAP] = { 2, 3 },
	[TRACE_FLAGS] = { 2, 3 },  [TRACE_FLAGS_SCAN] = { 1, 1 },
	[TRACE_REF] = { 1, 1 },
};

#define MAX_ARGS 7

/* An event for each page of a run; false: beyond the frames. */
static bool add_run(struct trace *t, struct trace_event e, uint64_t count)
{
	if (!count || count > t->nr_frames)
		return false;
	while (count--) {
		trace_add(t, e);
		e.addr += RMAP_PAGE_SIZE;
		e.arg += e.op == TRACE_MAP;
	}
	return true;
}

static bool add_event(struct trace *t, unsigned int op, const uint64_t *n,
		      unsigned int nr)
{
	bool last = nr == nr_args[op][1];	/* the one that may be absent */
	struct trace_event e = { .op = op };

	if (op == TRACE_FLAGS_SCAN) {
		e.arg = n[0];
		trace_add(t, e);
		return e.arg <= 2;
	}
	if (op == TRACE_REF || op == TRACE_FLAGS) {
		e.addr = n[0];
		if (op == TRACE_FLAGS) {
			e.flags = (uint32_t)n[1];
			e.arg = last ? n[2] : 1;
		}
		trace_add(t, e);
		return op == TRACE_REF || (e.arg <= t->nr_frames &&
					   e.addr <= t->nr_frames - e.arg);
	}
	e.mm = (uint32_t)n[0];
	if (op == TRACE_FORK)
		e.child = (uint32_t)n[1];
	else if (nr > 1)
		e.addr = n[1];
	if (op == TRACE_UNMAP)
		return add_run(t, e, last ? n[2] : 1);
	if (nr > 2)
		e.arg = n[2];
	if (op == TRACE_MAP)
		return add_run(t, e, last ? n[3] : 1);
	if (op == TRACE_MMAP) {
		e.pgoff = n[3];
		e.flags = (uint32_t)n[4];
		e.ino = n[5];
		e.dev = e.ino ? last ? n[6] : FILE_DEV : 0;
	}
	trace_add(t, e);
	return true;
}

static bool read_line(struct trace *t, char *line)
{
	uint64_t n[MAX_ARGS];
	unsigned int nr = 0, op = 0;
	char *save = NULL, *word, *arg, *end;

	line[strcspn(line, "#\n")] = '\0';
	word = strtok_r(line, " \t", &save);
	if (!word)
		return true;
	while ((arg = strtok_r(NULL, " \t", &save))) {
		if (nr == MAX_ARGS || *arg == '-')
			return false;
		errno = 0;
		n[nr++] = strtoull(arg, &end, 0);
		if (*end || errno)
			return false;
	}
	if (!strcmp(word, "frames") && nr == 1 && !t->nr) {
		t->nr_frames = n[0];
		return true;
	}
	while (op < NR_TRACE_OPS && strcmp(word, trace_op_names[op]))
		op++;
	return op < NR_TRACE_OPS && nr >= nr_args[op][0] &&
	       nr <= nr_args[op][1] && add_event(t, op, n, nr);
}

unsigned int trace_read(FILE *f, struct trace *t)
{
	unsigned int nr = 0;
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		nr++;
		if (!read_line(t, line))
			return nr;
	}
	return 0;
}

static int apply_flags(struct rmap *map, const struct trace_event *e)
{
	int rc = 0;

	for (uint64_t i = 0; i < e->arg && !rc; i++)
		rc = rmap_page_set_flags(map, e->addr + i, e->flags);
	return rc;
}

int trace_apply(struct rmap *map, const struct trace_event *e)
{
	struct rmap_mm *mm = rmap_mm_find(map, e->mm);
	struct rmap_vma_desc d = {
		.start = e->addr, .end = e->arg, .pgoff = e->pgoff,
		.flags = e->flags,
		.file = { e->dev, e->ino },
	};
	struct rmap_referenced ref;
	struct rmap_vma *vma;

	if (e->op == TRACE_REF)
		return rmap_page_referenced(map, e->addr, &ref);
	if (e->op == TRACE_FLAGS)
		return apply_flags(map, e);
	if (e->op == TRACE_FLAGS_SCAN) {
		(e->arg == 2 ? rmap_flags_cancel :
		 e->arg ? rmap_flags_begin : rmap_flags_end)(map);
		return 0;
	}
	if (e->op == TRACE_MM)
		return rmap_mm_add(map, e->mm, RMAP_NO_PGD, &mm);
	if (!mm)
		return -ENOENT;
	if (e->op == TRACE_FORK)
		return rmap_mm_fork(map, mm, e->child, RMAP_NO_PGD, &mm);
	if (e->op == TRACE_EXIT) {
		rmap_mm_remove(map, mm);
		return 0;
	}
	if (e->op == TRACE_MMAP)
		return rmap_vma_add(map, mm, &d, &vma);
	vma = rmap_vma_find(mm, e->addr);
	if (!vma)
		return -ENOENT;
	switch (e->op) {
	case TRACE_MUNMAP:
		rmap_vma_remove(map, vma);
		return 0;
	case TRACE_MREMAP:
		return rmap_vma_move(map, vma, e->arg, &vma);
	case TRACE_MAP:
		return rmap_map_page(map, vma, e->addr, e->arg);
	case TRACE_UNMAP:
		return rmap_unmap_page(map, vma, e->addr);
	default:
		return -EINVAL;
	}
}
