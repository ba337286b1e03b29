// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/view/guest_walk.h"
#include "vmm/view/view-internal.h"
#include "vmm/view/view.h"

#define DEFAULT_LEVELS 4

struct process {
	uint32_t pid;
	char comm[16];
	uint64_t nr_mapped;
};

struct view {
	pthread_rwlock_t lock;		/* of all below */
	struct rmap *map;		/* owned */
	struct guest_walk walk;
	struct process *processes;	/* owned, sorted by pid */
	size_t nr, max;
	struct view_stats stats;
};

int view_new(struct view **viewp, struct guest_mem *mem)
{
	const struct rmap_config config = {
		.nr_frames = guest_mem_nr_frames(mem),
	};
	struct view *v = calloc(1, sizeof(*v));
	pthread_rwlockattr_t attr;
	int rc;

	if (!v)
		return -ENOMEM;
	rc = rmap_new(&v->map, &config);
	if (rc) {
		free(v);
		return rc;
	}
	v->walk.mem = mem;
	v->walk.map = v->map;
	v->walk.levels = DEFAULT_LEVELS;
	rmap_set_pte_provider(v->map, &guest_walk_ops, &v->walk);
	/* The engine reads all the time: a waiting writer goes first. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&v->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	*viewp = v;
	return 0;
}

void view_free(struct view *v)
{
	if (!v)
		return;
	rmap_free(v->map);
	free(v->processes);
	pthread_rwlock_destroy(&v->lock);
	free(v);
}

void view_rdlock(struct view *v)
{
	pthread_rwlock_rdlock(&v->lock);
}

void view_wrlock(struct view *v)
{
	pthread_rwlock_wrlock(&v->lock);
}

void view_unlock(struct view *v)
{
	pthread_rwlock_unlock(&v->lock);
}

struct rmap *view_map(struct view *v)
{
	return v->map;
}

/* The first process with a pid of at least this. */
static size_t lower_bound(const struct view *v, uint32_t pid)
{
	size_t low = 0, high = v->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (v->processes[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct process *find(const struct view *v, uint32_t pid)
{
	size_t i = lower_bound(v, pid);

	return i < v->nr && v->processes[i].pid == pid ? &v->processes[i] : NULL;
}

static int add(struct view *v, uint32_t pid, struct process **pp)
{
	size_t at = lower_bound(v, pid), max = v->max ? v->max * 2 : 64;
	struct process *bigger;

	if (v->nr == v->max) {
		bigger = realloc(v->processes, max * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		v->processes = bigger;
		v->max = max;
	}
	memmove(&v->processes[at + 1], &v->processes[at],
		(v->nr - at) * sizeof(*v->processes));
	v->nr++;
	v->processes[at] = (struct process){ .pid = pid };
	*pp = &v->processes[at];
	return 0;
}

int view_put_process(struct view *v, uint32_t pid, const char *comm,
		     uint64_t pgd, struct rmap_mm **mmp)
{
	struct rmap_mm *mm = rmap_mm_find(v->map, pid);
	struct process *p = find(v, pid);
	int rc = 0;

	if (!mm)
		rc = rmap_mm_add(v->map, pid, pgd, &mm);
	else
		rmap_mm_set_pgd(mm, pgd);
	if (!rc && !p)
		rc = add(v, pid, &p);
	if (rc) {
		if (mm)
			rmap_mm_remove(v->map, mm);
		return rc;
	}
	strncpy(p->comm, comm, sizeof(p->comm) - 1);
	*mmp = mm;
	return 0;
}

void view_drop_process(struct view *v, uint32_t pid)
{
	struct rmap_mm *mm = rmap_mm_find(v->map, pid);
	struct process *p = find(v, pid);

	if (mm)
		rmap_mm_remove(v->map, mm);
	if (!p)
		return;
	memmove(p, p + 1, (v->processes + v->nr - p - 1) * sizeof(*p));
	v->nr--;
}

void view_count_mapped(struct view *v, uint32_t pid, int64_t nr)
{
	struct process *p = find(v, pid);

	if (p)
		p->nr_mapped += nr;
}

void view_set_paging_levels(struct view *v, unsigned int levels)
{
	v->walk.levels = levels;
}

struct view_stats *view_stats_mut(struct view *v)
{
	return &v->stats;
}

static void describe(const struct view *v, const struct process *p,
		     struct view_process *out)
{
	const struct rmap_mm *mm = rmap_mm_find(v->map, p->pid);
	const struct rmap_vma *vma;
	struct rmap_vma_desc d;
	uint64_t addr = 0;

	*out = (struct view_process){ .pid = p->pid,
				      .nr_mapped = p->nr_mapped };
	memcpy(out->comm, p->comm, sizeof(out->comm));
	if (!mm)
		return;
	out->has_pgd = rmap_mm_pgd(mm) != RMAP_NO_PGD;
	while ((vma = rmap_vma_next(mm, addr))) {
		rmap_vma_describe(vma, &d);
		addr = d.end;
		out->nr_vmas++;
	}
}

bool view_next_process(const struct view *v, uint32_t after,
		       struct view_process *out)
{
	size_t i = after == UINT32_MAX ? v->nr : lower_bound(v, after + 1);

	if (i == v->nr)
		return false;
	describe(v, &v->processes[i], out);
	return true;
}

bool view_find_process(const struct view *v, uint32_t pid,
		       struct view_process *out)
{
	const struct process *p = find(v, pid);

	if (!p)
		return false;
	describe(v, p, out);
	return true;
}

void view_get_stats(struct view *v, struct view_stats *stats)
{
	view_rdlock(v);
	*stats = v->stats;
	view_unlock(v);
}
