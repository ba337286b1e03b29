// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "vmm/stat/inspect.h"
#include "vmm/util/cleanup.h"

struct flag_name {
	uint32_t bit;
	const char *name;
};

static const struct flag_name page_flags[] = {
	{ RMAP_PG_LOCKED, "locked" },	  { RMAP_PG_RESERVED, "reserved" },
	{ RMAP_PG_FREE, "free" },	  { RMAP_PG_SLAB, "slab" },
	{ RMAP_PG_PGTABLE, "page-table" }, { RMAP_PG_ANON, "anon" },
	{ RMAP_PG_FILE, "file" },	  { RMAP_PG_DIRTY, "dirty" },
	{ RMAP_PG_KSM, "ksm" },		  { RMAP_PG_HUGE, "huge" },
	{ RMAP_PG_SWAPBACKED, "swapbacked" },
};

static const struct flag_name vma_flags[] = {
	{ RMAP_VM_READ, "read" },     { RMAP_VM_WRITE, "write" },
	{ RMAP_VM_EXEC, "exec" },     { RMAP_VM_SHARED, "shared" },
	{ RMAP_VM_LOCKED, "locked" }, { RMAP_VM_STACK, "stack" },
	{ RMAP_VM_HEAP, "heap" },     { RMAP_VM_NONLINEAR, "nonlinear" },
};

static json_t *flags_json(uint32_t flags, const struct flag_name *names,
			  size_t nr)
{
	json_t *a = json_array();

	for (size_t i = 0; i < nr; i++)
		if (flags & names[i].bit)
			json_array_append_new(a, json_string(names[i].name));
	return a;
}

#define FLAGS_JSON(flags, names) \
	flags_json(flags, names, sizeof(names) / sizeof(names[0]))

static json_t *file_json(const struct rmap_file_id *f)
{
	return json_pack("{s:I, s:I}", "dev", (json_int_t)f->dev, "ino",
			 (json_int_t)f->ino);
}

static json_t *vma_json(const struct rmap_vma_desc *d)
{
	json_t *o = json_pack("{s:I, s:I, s:I, s:o}",
			      "start", (json_int_t)d->start,
			      "end", (json_int_t)d->end,
			      "pgoff", (json_int_t)d->pgoff,
			      "flags", FLAGS_JSON(d->flags, vma_flags));

	if (o && d->file.ino)
		json_object_set_new(o, "file", file_json(&d->file));
	return o;
}

struct mappings {
	const struct view *view;
	json_t *list;
};

static bool add_mapping(const struct rmap *map, uint64_t gfn,
			const struct rmap_vma *vma, uint64_t addr, void *arg)
{
	struct mappings *m = arg;
	const struct rmap_mm *mm = rmap_vma_mm(vma);
	struct view_process proc = { .comm = "" };
	struct rmap_vma_desc desc;
	struct rmap_pte pte;
	json_t *o;

	rmap_vma_describe(vma, &desc);
	view_find_process(m->view, rmap_mm_id(mm), &proc);
	o = json_pack("{s:I, s:s, s:I, s:o}",
		      "pid", (json_int_t)rmap_mm_id(mm), "comm", proc.comm,
		      "address", (json_int_t)addr, "vma", vma_json(&desc));
	/* Only a live page table knows whether the process used the page. */
	if (o && rmap_mm_pgd(mm) != RMAP_NO_PGD &&
	    !rmap_pte_lookup(map, mm, addr, &pte)) {
		json_object_set_new(o, "accessed", json_boolean(pte.accessed));
		json_object_set_new(o, "dirty", json_boolean(pte.dirty));
		json_object_set_new(o, "level", json_integer(pte.level));
	}
	json_array_append_new(m->list, o);
	return true;
}

static void put_reverse_map(json_t *o, struct view *view, gfn_t gfn)
{
	struct mappings m = { view, json_array() };
	const struct rmap_walk_control rwc = { .arg = &m,
					       .rmap_one = add_mapping };
	struct rmap_page_info info;

	view_rdlock(view);
	if (!rmap_page_info(view_map(view), gfn.v, &info)) {
		json_object_set_new(o, "flags",
				    FLAGS_JSON(info.flags, page_flags));
		json_object_set_new(o, "mapcount", json_integer(info.mapcount));
		json_object_set_new(o, "mapping",
				    json_string(!info.mapped_object ? "none" :
						info.anon ? "anon" : "file"));
		json_object_set_new(o, "index", json_integer(info.index));
		if (info.mapped_object && !info.anon)
			json_object_set_new(o, "file", file_json(&info.file));
		rmap_walk(view_map(view), gfn.v, &rwc);
	}
	view_unlock(view);
	json_object_set_new(o, "mappings", m.list);
}

json_t *stat_inspect_page(const struct stat_server_config *c, gfn_t gfn,
			  unsigned int *status, char *why, size_t len)
{
	struct engine_page page;
	uint64_t hva;
	json_t *o;

	if (!guest_mem_gfn_to_hva(c->mem, gfn, &hva)) {
		*status = 404;
		snprintf(why, len, "frame 0x%llx is not RAM of this guest",
			 (unsigned long long)gfn.v);
		return NULL;
	}
	o = json_pack("{s:I, s:I, s:I}", "gfn", (json_int_t)gfn.v,
		      "gpa", (json_int_t)gfn_to_gpa(gfn).v,
		      "hva", (json_int_t)hva);
	if (o && c->engine && !engine_get_page(c->engine, gfn, &page)) {
		json_object_set_new(o, "resident", json_boolean(page.resident));
		json_object_set_new(o, "swapped", json_boolean(page.swapped));
		json_object_set_new(o, "idle_scans", json_integer(page.age));
		json_object_set_new(o, "list", json_string(page.list));
	}
	if (o)
		put_reverse_map(o, c->view, gfn);
	return o;
}

static json_t *process_json(const struct view_process *p)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:b}",
			 "pid", (json_int_t)p->pid, "comm", p->comm,
			 "nr_vmas", (json_int_t)p->nr_vmas,
			 "nr_mapped", (json_int_t)p->nr_mapped,
			 "has_pgd", p->has_pgd);
}

json_t *stat_inspect_processes(const struct stat_server_config *c)
{
	json_t *a = json_array();
	struct view_process p;
	uint32_t after = 0;

	view_rdlock(c->view);
	while (view_next_process(c->view, after, &p)) {
		json_array_append_new(a, process_json(&p));
		after = p.pid;
	}
	view_unlock(c->view);
	return a;
}

/*
 * Pages of a region by what the host has done with them.  Idle pages are
 * counted in classes of scans: 0, 1, 2-3, 4-7, ..., 128-255.
 */
#define NR_CLASSES 9

struct region_count {
	uint64_t nr_mapped, nr_resident, nr_swapped;
	uint64_t by_class[NR_CLASSES];
};

static unsigned int age_class(uint8_t age)
{
	return age ? 32 - __builtin_clz(age) : 0;
}

static void count_page(const struct stat_server_config *c, uint64_t gfn,
		       struct region_count *n)
{
	struct engine_page page;

	n->nr_mapped++;
	if (!c->engine || engine_get_page(c->engine, GFN(gfn), &page))
		return;
	n->nr_swapped += page.swapped;
	if (page.resident) {
		n->nr_resident++;
		n->by_class[age_class(page.age)]++;
	}
}

static json_t *region_json(const struct stat_server_config *c,
			   const uint64_t *gfns, size_t nr,
			   const struct rmap_vma_desc *desc)
{
	struct region_count n = { 0 };
	json_t *o = vma_json(desc), *classes = json_array();

	for (size_t i = 0; i < nr; i++)
		count_page(c, gfns[i], &n);
	for (unsigned int i = 0; i < NR_CLASSES; i++)
		json_array_append_new(classes, json_integer(n.by_class[i]));
	json_object_set_new(o, "nr_mapped", json_integer(n.nr_mapped));
	json_object_set_new(o, "nr_resident", json_integer(n.nr_resident));
	json_object_set_new(o, "nr_swapped", json_integer(n.nr_swapped));
	json_object_set_new(o, "resident_by_log2_idle_scans", classes);
	return o;
}

/* The frames of the VMA that ends first above addr; -1: no memory, 0: none. */
static int collect_region(struct view *view, uint32_t pid, uint64_t addr,
			  struct rmap_vma_desc *desc, uint64_t **gfnsp,
			  size_t *nrp)
{
	uint64_t *gfns = NULL, *bigger, at, gfn;
	size_t nr = 0, max = 0;
	const struct rmap_mm *mm;
	const struct rmap_vma *vma;
	int rc = 0;

	view_rdlock(view);
	mm = rmap_mm_find(view_map(view), pid);
	vma = mm ? rmap_vma_next(mm, addr) : NULL;
	if (!vma)
		goto out;
	rmap_vma_describe(vma, desc);
	at = desc->start;
	while (rmap_vma_next_page(view_map(view), vma, &at, &gfn)) {
		if (nr == max) {
			max = max ? max * 2 : 64;
			bigger = realloc(gfns, max * sizeof(*gfns));
			if (!bigger) {
				free(gfns);
				rc = -1;
				goto out;
			}
			gfns = bigger;
		}
		gfns[nr++] = gfn;
		at += RMAP_PAGE_SIZE;
	}
	*gfnsp = gfns;
	*nrp = nr;
	rc = 1;
out:
	view_unlock(view);
	return rc;
}

json_t *stat_inspect_process(const struct stat_server_config *c, uint32_t pid,
			     unsigned int *status, char *why, size_t len)
{
	json_t *o, *regions = json_array();
	struct rmap_vma_desc desc;
	struct view_process p;
	uint64_t addr = 0;
	size_t nr;
	bool found;

	view_rdlock(c->view);
	found = view_find_process(c->view, pid, &p);
	view_unlock(c->view);
	if (!found) {
		json_decref(regions);
		*status = 404;
		snprintf(why, len, "the agent has told of no process %u; "
			 "`vmm inspect pids` lists those it told of", pid);
		return NULL;
	}
	/*
	 * The lock is held a region at a time, and the engine asked without
	 * it: a large process must not keep the agent's news waiting.
	 */
	for (;;) {
		__cleanup_free uint64_t *gfns = NULL;

		if (collect_region(c->view, pid, addr, &desc, &gfns, &nr) <= 0)
			break;
		json_array_append_new(regions,
				      region_json(c, gfns, nr, &desc));
		addr = desc.end;
	}
	o = process_json(&p);
	json_object_set_new(o, "vmas", regions);
	return o;
}

json_t *stat_inspect_wss(const struct stat_server_config *c)
{
	struct engine_policy policy;
	struct engine_stats s;
	json_t *a;

	if (!c->engine)
		return json_pack("{s:[]}", "pages_by_idle_scans");
	engine_get_stats(c->engine, &s);
	engine_get_policy(c->engine, &policy);
	a = json_array();
	for (unsigned int i = 0; i < ENGINE_AGES; i++)
		json_array_append_new(a, json_integer(s.age_pages[i]));
	return json_pack("{s:I, s:I, s:I, s:o}",
			 "scan_period_ms", (json_int_t)policy.scan_period_ms,
			 "nr_scans", (json_int_t)s.nr_scans,
			 "nr_resident", (json_int_t)s.nr_resident,
			 "pages_by_idle_scans", a);
}
