/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's view of one guest, as its agent reports it: the reverse map with
 * its lock, processes and memory pressure.  Filled from the agent's stream
 * (agent-server.h), read by the engine and by the control socket, and so by
 * `vmm inspect`.
 *
 * The view is a hint.  A lying agent makes it wrong, never unsafe: the engine
 * still checks the accessed bits of the second-level page tables.
 *
 * Locking: view_rdlock()/view_wrlock() guard the map and all other data of the
 * view.  The engine's lock is taken before the view's.
 */
#ifndef VMM_GUEST_VIEW_H
#define VMM_GUEST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "rmap/rmap.h"
#include "vmm/guest/guest-walk.h"
#include "vmm/mem/guest-mem.h"

struct view;

/*
 * mem: for reading the page tables of processes whose PGD is known; not owned,
 * outlives the view.  0 or -errno.
 */
int view_new(struct view **viewp, struct guest_mem *mem);
void view_free(struct view *view);

/*
 * Makes the view also write the agent's reports to a file (record.h).  0;
 * -EEXIST: they are written to a file already; or -errno of opening it.  To be
 * called before the agent server starts.
 */
int view_record(struct view *view, const char *path);

void view_rdlock(struct view *view);
void view_wrlock(struct view *view);
void view_unlock(struct view *view);

/*
 * For use under the lock; functions that are writers by rmap.h need the write
 * lock.
 */
struct rmap *view_map(struct view *view);

/*
 * Whether the flags of any of the 64 frames from 64 * w on have changed since
 * the last call for w.  Under either lock; from one thread only.
 */
bool view_test_and_clear_changed(struct view *view, uint64_t w);

struct view_process {
	uint32_t pid;
	char comm[16];
	uint64_t nr_vmas;
	uint64_t nr_mapped;	/* pages, as reported */
	bool has_pgd;
};

/* First process with a pid above `after`; false at the end.  Under a lock. */
bool view_next_process(const struct view *view, uint32_t after,
		       struct view_process *out);
/* The process with that pid, into *out; false: none.  Under a lock. */
bool view_find_process(const struct view *view, uint32_t pid,
		       struct view_process *out);

/*
 * The entry of addr in mm's live page tables; see guest_walk_lookup_entry().
 * Under a lock.
 */
int view_lookup_pte(const struct view *view, const struct rmap_mm *mm,
		    uint64_t addr, struct guest_walk_entry *entry);

struct view_guest_info {	/* as last reported; bytes, and PSI in % */
	uint64_t mem_total, mem_free, mem_available, cached, dirty;
	double psi_some_avg10, psi_full_avg10;
	uint64_t clean_cache;		/* page cache the guest could drop */
	uint64_t nr_refaults_file, nr_refaults_anon;	/* pages, since boot */
};

struct view_stats {
	bool agent_connected;
	bool drops_cache;	/* supports agent_server_drop_cache() */
	/* Number of this connection's last complete report; 0: none yet. */
	uint64_t epoch;
	/* Of all connections; nr_rejected: messages that ended one. */
	uint64_t nr_messages, nr_bytes, nr_rejected, nr_connections;
	/* The agent's budget is used up, so it is not read now; how often. */
	bool throttled;
	uint64_t nr_throttled;
	uint64_t last_update_ns;	/* clock_now_ns() of the last epoch end */
	struct view_guest_info guest;
};

/* Takes the lock itself. */
void view_get_stats(struct view *view, struct view_stats *stats);

#endif
