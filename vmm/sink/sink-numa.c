// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another NUMA node as a sink: cold pages move to slower memory of this host
 * and stay accessible there, without faults.
 *
 *	on node `from` --evict: move_pages()--> on node `to`, evicted
 *	      ^                                     |
 *	      +---- prefetch: accessed again -------+
 *
 * To the rest of the program a page on node `to` is evicted, as if in swap, so
 * that a target limits memory on the fast node, and a page moved back counts as
 * a refault.  The difference is that an access causes no fault: the engine
 * prefetches pages that its access source found young (`accessible_in_place`).
 *
 * While the kernel moves a page, accesses to it wait, so no write is lost.  It
 * moves only mapped pages: pages of a memfd that an access source had unmapped
 * are mapped for the move and unmapped again, so that they do not look
 * accessed.
 */
#include "config.h"

#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/mem/numa.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/key-value.h"
#include "vmm/util/stop-flag.h"

#define BATCH 512	/* pages in a call of move_pages() */

struct sink_numa {
	struct reclaim_sink sink;
	struct guest_mem *mem;		/* not owned */
	int to, from;			/* nodes of the host */
	struct sink_census census;
	/* Held while pages move or are discarded, and their marks are set. */
	pthread_mutex_t lock;
	/* Arguments of move_pages(), by gathered page; find_moved()'s, too. */
	void *pages[BATCH];
	int nodes[BATCH], status[BATCH];
	uint64_t gfns[BATCH];
	size_t nr;			/* pages gathered to be moved */
	/* The next page for find_moved() to check. */
	unsigned int checked_slot;
	uint64_t checked_page;		/* of that slot */
};

static int numa_probe(const struct guest_mem *mem, char *why, size_t len)
{
	uint64_t nodes = host_numa_nodes();
	char text[128];

	if (!nodes) {
		snprintf(why, len, "this kernel has no NUMA support "
			 "(CONFIG_NUMA): use the sink swap");
		return -EOPNOTSUPP;
	}
	if (!(nodes & (nodes - 1))) {
		snprintf(why, len, "only one NUMA node of this host has "
			 "memory, %s, so there is no node to move cold pages "
			 "to: use the sink swap or store",
			 host_numa_text(nodes, text, sizeof(text)));
		return -EOPNOTSUPP;
	}
	if (guest_mem_is_hugetlb(mem)) {
		snprintf(why, len, "hugetlb pages cannot be moved to another "
			 "node: start the guest with --mem-backing thp for "
			 "huge pages that can be moved");
		return -EOPNOTSUPP;
	}
	return 0;
}

static const struct key keys[] = {
	{ "to", KEY_NUMBER, KEY_MEMBER(struct sink_numa, to), .max = 63,
	  .unit = "a NUMA node of the host" },
	{ "from", KEY_NUMBER, KEY_MEMBER(struct sink_numa, from), .max = 63,
	  .unit = "a NUMA node of the host" },
	{ .name = NULL },
};

static int numa_check_options(const char *options, char *why, size_t len)
{
	struct sink_numa s;

	return key_list_parse(keys, options, &s, why, len);
}

static int check_nodes(struct sink_numa *s, char *why, size_t len)
{
	uint64_t nodes = host_numa_nodes();
	char text[128];

	if (s->to < 0) {
		snprintf(why, len, "the sink numa needs the node to move cold "
			 "pages to: --sink numa,to=NODE");
		return -EINVAL;
	}
	if (s->from < 0)
		s->from = __builtin_ctzll(nodes & ~(UINT64_C(1) << s->to));
	if (s->from == s->to) {
		snprintf(why, len, "cannot move pages from node %d to itself: "
			 "name two different nodes", s->to);
		return -EINVAL;
	}
	if (nodes >> s->to & 1 && nodes >> s->from & 1)
		return 0;
	snprintf(why, len, "vmm may not allocate memory on node %d: allowed "
		 "nodes with memory are %s",
		 nodes >> s->to & 1 ? s->from : s->to,
		 host_numa_text(nodes, text, sizeof(text)));
	return -EINVAL;
}

static int parse_options(struct sink_numa *s, const char *options, char *why,
			 size_t len)
{
	int rc;

	s->to = s->from = -1;
	rc = options ? key_list_parse(keys, options, s, why, len) : 0;
	return rc ? rc : check_nodes(s, why, len);
}

static void numa_close(struct reclaim_sink *sink)
{
	struct sink_numa *s = (struct sink_numa *)sink;

	guest_mem_set_owner(s->mem, NULL, NULL);
	pthread_mutex_destroy(&s->lock);
	sink_census_free(&s->census);
	free(s);
}

/* Takes the lock: a page must not be moved or marked while it is dropped. */
static int discard(void *arg, struct gfn_range r)
{
	struct sink_numa *s = arg;
	uint64_t g = r.start.v, end = g + r.nr, next;
	int rc = 0;

	for (; !rc && g < end; g = next) {
		next = (g / BATCH + 1) * BATCH;
		if (next > end)
			next = end;
		pthread_mutex_lock(&s->lock);
		for (uint64_t i = g; i < next; i++)
			guest_mem_set_evicted(s->mem, GFN(i), false);
		rc = guest_mem_drop(s->mem, (struct gfn_range){ GFN(g),
								next - g });
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

/*
 * Checks the next BATCH pages, and marks those on node `to` as evicted: a sink
 * of an earlier process may have moved them there.  So they do not count as
 * being on the fast node, and are moved back when used.  move_pages() reads the
 * process' page tables: pages that are not mapped are not found.  Takes the
 * lock, so that a page is not discarded between check and mark.
 */
static int find_moved(struct sink_numa *s, const struct guest_memslot *slot)
{
	uint64_t nr = slot->nr_pages - s->checked_page;
	int rc = 0;

	nr = nr < BATCH ? nr : BATCH;
	for (uint64_t k = 0; k < nr; k++)
		s->pages[k] = (void *)(uintptr_t)
			(slot->hva + ((s->checked_page + k) << VMM_PAGE_SHIFT));
	pthread_mutex_lock(&s->lock);
	if (move_pages(guest_mem_pid(s->mem), nr, s->pages, NULL, s->status,
		       0) < 0)
		rc = -errno;
	for (uint64_t k = 0; !rc && k < nr; k++)
		if (s->status[k] == s->to)
			guest_mem_set_evicted(s->mem, GFN(slot->base.v +
							  s->checked_page + k),
					      true);
	pthread_mutex_unlock(&s->lock);
	if (!rc)
		s->checked_page += nr;
	return rc;
}

/* Not called by open(): 64 GiB take seconds, for which no guest must wait. */
static int numa_find_evicted(struct reclaim_sink *sink)
{
	struct sink_numa *s = (struct sink_numa *)sink;
	const struct guest_memslot *slots;
	unsigned int nr;
	int rc = 0;

	slots = guest_mem_slots(s->mem, &nr);
	while (!rc && s->checked_slot < nr) {
		if (stop_flag_is_set(sink->stopping))
			return -ECANCELED;
		rc = find_moved(s, &slots[s->checked_slot]);
		if (s->checked_page == slots[s->checked_slot].nr_pages) {
			s->checked_slot++;
			s->checked_page = 0;
		}
	}
	return rc;
}

/* Checks whether we may use move_pages() on the process, on its first pages. */
static int check_permission(struct sink_numa *s)
{
	unsigned int nr;

	return find_moved(s, guest_mem_slots(s->mem, &nr));
}

static int numa_open(struct reclaim_sink **sinkp, struct guest_mem *mem,
		     const char *options, char *why, size_t len)
{
	struct sink_numa *s;
	int rc = numa_probe(mem, why, len);

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, len, "not enough memory for the numa sink");
		return -ENOMEM;
	}
	s->sink.ops = &sink_numa;
	s->mem = mem;
	pthread_mutex_init(&s->lock, NULL);
	rc = parse_options(s, options, why, len);
	/*
	 * The first call allocates the bitmap, before there is another thread.
	 */
	if (!rc && (sink_census_init(&s->census, mem) ||
		    guest_mem_set_evicted(mem, GFN(0), false))) {
		snprintf(why, len, "not enough memory for the numa sink");
		rc = -ENOMEM;
	}
	if (!rc) {
		rc = check_permission(s);
		if (rc)
			snprintf(why, len, "cannot read which node pages are "
				 "on: %s", error_text(-rc));
	}
	if (rc) {
		numa_close(&s->sink);
		return rc;
	}
	guest_mem_set_accessible_in_place(mem, true);
	guest_mem_set_owner(mem, discard, s);
	*sinkp = &s->sink;
	return 0;
}

/*
 * Moves the gathered pages to `node`, and sets the evicted mark of those moved
 * to `evicted`.  0 or -errno.
 */
static int move_gathered(struct sink_numa *s, int node, bool evicted)
{
	size_t nr = s->nr;
	int rc = 0;

	s->nr = 0;
	if (!nr)
		return 0;
	for (size_t i = 0; i < nr; i++) {
		s->nodes[i] = node;
		s->status[i] = -ENOENT;
	}
	pthread_mutex_lock(&s->lock);
	/* A positive result counts pages not moved; the status says which. */
	if (move_pages(guest_mem_pid(s->mem), nr, s->pages, s->nodes,
		       s->status, MPOL_MF_MOVE) < 0 && errno != ENOENT)
		rc = -errno;
	for (size_t i = 0; !rc && i < nr; i++)
		if (s->status[i] == node)
			guest_mem_set_evicted(s->mem, GFN(s->gfns[i]), evicted);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* Gathers a page; moves all as above when there are BATCH. */
static int gather(struct sink_numa *s, uint64_t gfn, int node, bool evicted)
{
	uint64_t hva;

	if (!guest_mem_gfn_to_hva(s->mem, GFN(gfn), &hva))
		return -EFAULT;
	s->pages[s->nr] = (void *)(uintptr_t)hva;
	s->gfns[s->nr++] = gfn;
	return s->nr == BATCH ? move_gathered(s, node, evicted) : 0;
}

/*
 * Calls fn for each run of pages that were resident: mapping these allocates
 * none.
 */
static int for_each_run(struct sink_numa *s, struct gfn_range r,
			int (*fn)(struct guest_mem *mem, struct gfn_range run))
{
	uint64_t g = r.start.v, end = g + r.nr, next;
	int rc = 0;

	for (; !rc && (g = bitmap_next(s->census.before, g, end)) < end;
	     g = next) {
		next = bitmap_next_zero(s->census.before, g, end);
		rc = fn(s->mem, (struct gfn_range){ GFN(g), next - g });
	}
	return rc;
}

static int evict_range(struct sink_numa *s, struct gfn_range r)
{
	/*
	 * No access source unmaps pages of another process: those that are
	 * unmapped there anyway are not moved.
	 */
	bool is_memfd = guest_mem_is_shared(s->mem) &&
			guest_mem_pid(s->mem) == getpid();
	uint64_t end = r.start.v + r.nr;
	int rc = is_memfd ? for_each_run(s, r, guest_mem_map) : 0;

	for (uint64_t g = bitmap_next(s->census.before, r.start.v, end);
	     !rc && g < end; g = bitmap_next(s->census.before, g + 1, end))
		rc = gather(s, g, s->to, true);
	if (!rc)
		rc = move_gathered(s, s->to, true);
	s->nr = 0;
	/* Also after an error: a mapped page looks accessed. */
	if (is_memfd) {
		int unmapped = for_each_run(s, r, guest_mem_unmap);

		rc = rc ? rc : unmapped;
	}
	return rc;
}

static int numa_evict(struct reclaim_sink *sink,
		      const struct gfn_range *ranges, size_t nr,
		      struct reclaim_result *res)
{
	struct sink_numa *s = (struct sink_numa *)sink;
	int rc = sink_census_before(&s->census, ranges, nr);

	for (size_t i = 0; !rc && i < nr; i++)
		rc = evict_range(s, ranges[i]);
	return rc ? rc : sink_census_after(&s->census, ranges, nr, res);
}

/* Moves only evicted pages back; they stay evicted if node `from` is full. */
static int numa_prefetch(struct reclaim_sink *sink,
			 const struct gfn_range *ranges, size_t nr)
{
	struct sink_numa *s = (struct sink_numa *)sink;
	int rc = 0;

	for (size_t i = 0; !rc && i < nr; i++) {
		uint64_t end = ranges[i].start.v + ranges[i].nr;

		if (!guest_mem_is_ram(s->mem, ranges[i]))
			rc = -EFAULT;
		for (uint64_t g = ranges[i].start.v; !rc && g < end; g++)
			if (guest_mem_is_evicted(s->mem, GFN(g)))
				rc = gather(s, g, s->from, false);
	}
	if (!rc)
		rc = move_gathered(s, s->from, false);
	s->nr = 0;
	return rc;
}

const struct reclaim_sink_ops sink_numa = {
	.name = "numa",
	.accessible_in_place = true,
	.check_options = numa_check_options,
	.probe = numa_probe,
	.open = numa_open,
	.find_evicted = numa_find_evicted,
	.evict = numa_evict,
	.prefetch = numa_prefetch,
	.close = numa_close,
};
