// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "vmm/control/host-pages.h"
#include "vmm/control/inspect.h"
#include "vmm/policy/select.h"
#include "vmm/util/bitmap.h"
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

json_t *stat_vma_flags_json(uint32_t flags)
{
	return FLAGS_JSON(flags, vma_flags);
}

json_t *stat_vma_json(const struct rmap_vma_desc *d)
{
	json_t *o = json_pack("{s:I, s:I, s:I, s:o}",
			      "start", (json_int_t)d->start,
			      "end", (json_int_t)d->end,
			      "pgoff", (json_int_t)d->pgoff,
			      "flags", stat_vma_flags_json(d->flags));

	if (o && d->file.ino)
		json_object_set_new(o, "file", file_json(&d->file));
	return o;
}

struct mappings {
	const struct view *view;
	json_t *list;
	uint64_t nr;
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

	if (m->nr++ >= STAT_PAGE_MAPPINGS)
		return m->nr < STAT_PAGE_MAPPINGS_COUNT;
	rmap_vma_describe(vma, &desc);
	view_find_process(m->view, rmap_mm_id(mm), &proc);
	o = json_pack("{s:I, s:s, s:I, s:o}",
		      "pid", (json_int_t)rmap_mm_id(mm), "comm", proc.comm,
		      "address", (json_int_t)addr, "vma", stat_vma_json(&desc));
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

/*
 * nr_mappings counts mappings that the page tables, where they can be read,
 * confirm.  mapcount is as the agent reported it, and can be larger.
 */
static void put_mappings(json_t *o, struct view *view, uint64_t gfn)
{
	struct mappings m = { view, json_array(), 0 };
	const struct rmap_walk_control rwc = { .arg = &m,
					       .rmap_one = add_mapping,
					       .max_candidates =
						STAT_PAGE_MAPPINGS_COUNT };
	int rc = rmap_walk(view_map(view), gfn, &rwc);

	json_object_set_new(o, "nr_mappings", json_integer(m.nr));
	json_object_set_new(o, "nr_mappings_is_exact",
			    json_boolean(!rc &&
					 m.nr < STAT_PAGE_MAPPINGS_COUNT));
	json_object_set_new(o, "mappings", m.list);
}

static void put_reverse_map(json_t *o, struct view *view, gfn_t gfn)
{
	struct rmap_page_info info;

	view_rdlock(view);
	if (!rmap_page_info(view_map(view), gfn.v, &info)) {
		json_object_set_new(o, "flags",
				    FLAGS_JSON(info.flags, page_flags));
		json_object_set_new(o, "mapcount", json_integer(info.mapcount));
		json_object_set_new(o, "mapping",
				    json_string(!info.has_object ? "none" :
						info.anon ? "anon" : "file"));
		json_object_set_new(o, "index", json_integer(info.index));
		if (info.has_object && !info.anon)
			json_object_set_new(o, "file", file_json(&info.file));
	}
	put_mappings(o, view, gfn.v);
	view_unlock(view);
}

/*
 * The aligned 2 MiB block around the frame: whether it is one huge page on the
 * host, if the kernel reports that, and for how long all of it has been idle.
 */
static void put_block(json_t *o, const struct stat_server_config *c, gfn_t gfn)
{
	uint64_t nr = guest_mem_nr_frames(c->mem);
	__cleanup_free uint64_t *huge = bitmap_new(nr);
	struct engine_use uses[SELECT_HUGE_PAGES];
	struct gfn_range block = { GFN(gfn.v & ~(SELECT_HUGE_PAGES - 1ull)),
				   SELECT_HUGE_PAGES };
	gfn_t gfns[SELECT_HUGE_PAGES];
	int age = -1;

	if (huge && !guest_mem_huge(c->mem, block, huge))
		json_object_set_new(o, "huge",
				    json_boolean(bitmap_test(huge, gfn.v)));
	for (size_t i = 0; i < SELECT_HUGE_PAGES; i++)
		gfns[i] = GFN(block.start.v + i);
	engine_get_uses(c->engine, gfns, SELECT_HUGE_PAGES, uses);
	for (size_t i = 0; i < SELECT_HUGE_PAGES; i++)
		if (uses[i].resident && (age < 0 || uses[i].age < age))
			age = uses[i].age;
	if (age >= 0)
		json_object_set_new(o, "block_2m_idle_scans", json_integer(age));
}

/* The frame's state on the host now, and what the engine remembers of it. */
static void put_host(json_t *o, const struct stat_server_config *c, gfn_t gfn)
{
	struct host_pages *hp = host_pages_new(c);
	struct engine_page page;
	struct host_page now;

	if (hp && !host_pages_lookup(hp, &gfn, 1, &now)) {
		json_object_set_new(o, "resident", json_boolean(now.resident));
		json_object_set_new(o, "swapped", json_boolean(now.swapped));
		if (now.age >= 0)
			json_object_set_new(o, "idle_scans",
					    json_integer(now.age));
		else if (host_pages_no_ages(hp))
			json_object_set_new(o, "no_ages", json_string(
						host_pages_no_ages(hp)));
	}
	host_pages_free(hp);
	if (!c->engine || engine_get_page(c->engine, gfn, &page))
		return;
	put_block(o, c, gfn);
	json_object_set_new(o, "list", json_string(page.list));
	json_object_set_new(o, "nr_evictions", json_integer(page.nr_evictions));
	json_object_set_new(o, "nr_refaults", json_integer(page.nr_refaults));
}

bool stat_find_frame(const struct stat_server_config *c, gfn_t gfn,
		     uint64_t *hva, unsigned int *status, char *why, size_t len)
{
	if (guest_mem_gfn_to_hva(c->mem, gfn, hva))
		return true;
	*status = 404;
	snprintf(why, len, "frame 0x%llx is not RAM of this guest",
		 (unsigned long long)gfn.v);
	return false;
}

json_t *stat_inspect_page(const struct stat_server_config *c, gfn_t gfn,
			  unsigned int *status, char *why, size_t len)
{
	uint64_t hva;
	json_t *o;

	if (!stat_find_frame(c, gfn, &hva, status, why, len))
		return NULL;
	o = json_pack("{s:I, s:I, s:I}", "gfn", (json_int_t)gfn.v,
		      "gpa", (json_int_t)gfn_to_gpa(gfn).v,
		      "hva", (json_int_t)hva);
	if (o)
		put_host(o, c, gfn);
	if (o)
		put_reverse_map(o, c->view, gfn);
	return o;
}
