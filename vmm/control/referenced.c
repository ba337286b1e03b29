// SPDX-License-Identifier: GPL-2.0-or-later
/* POST /referenced: the check that the engine makes before eviction. */
#include "config.h"

#include <stdio.h>

#include "vmm/control/inspect.h"

struct users {
	const struct view *view;
	json_t *list;
};

static void add_user(const struct rmap_vma *vma, uint64_t addr, bool accessed,
		     void *arg)
{
	struct users *u = arg;
	struct view_process proc = { .comm = "" };
	uint32_t pid = rmap_mm_id(rmap_vma_mm(vma));

	if (!accessed || json_array_size(u->list) >= STAT_PAGE_MAPPINGS)
		return;
	view_find_process(u->view, pid, &proc);
	json_array_append_new(u->list, json_pack("{s:I, s:s, s:I}",
		"pid", (json_int_t)pid, "comm", proc.comm,
		"address", (json_int_t)addr));
}

json_t *stat_page_referenced(const struct stat_server_config *c, gfn_t gfn,
			     unsigned int *status, char *why, size_t len)
{
	struct users users = { c->view, NULL };
	struct rmap_referenced r;
	struct rmap_page_info info;
	uint64_t hva;
	int rc;

	if (!stat_find_frame(c, gfn, &hva, status, why, len))
		return NULL;
	users.list = json_array();
	view_rdlock(c->view);
	rc = rmap_page_info(view_map(c->view), gfn.v, &info);
	if (!rc)
		rc = rmap_page_referenced_by(view_map(c->view), gfn.v,
					     add_user, &users, &r);
	view_unlock(c->view);
	if (rc) {
		json_decref(users.list);
		return stat_inspect_failed(rc, status, why, len);
	}
	return json_pack("{s:I, s:I, s:i, s:i, s:b, s:b, s:o, s:o}",
		"gfn", (json_int_t)gfn.v, "mapcount", (json_int_t)info.mapcount,
		"nr_mappings", (int)r.nr_mappings,
		"nr_referenced", (int)r.nr_referenced,
		"has_accessed_bits", r.has_accessed_bits,
		"partial", r.partial,
		"vm_flags", stat_vma_flags_json(r.vm_flags),
		"referenced_by", users.list);
}
