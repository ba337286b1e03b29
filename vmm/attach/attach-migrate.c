// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration, save and restore: the engine is paused while QEMU itself reads or
 * writes all guest memory.  The ages are transferred too, as they were when the
 * guest was last known not to be migrated or saved.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/attach/attach-guest.h"
#include "vmm/engine/engine.h"
#include "vmm/util/error-text.h"
#include "vmm/util/log.h"

/* --- ages ----------------------------------------------------------------- */

static bool sample_ages(struct attached *g)
{
	return g->service.engine && g->migration == QEMU_MIGRATION_NONE &&
	       attach_ages_sample(&g->ages, g->service.engine,
				  guest_mem_nr_frames(g->mem));
}

void attached_refresh_ages(struct attached *g)
{
	if (sample_ages(g))
		attach_ages_commit(&g->ages);
}

void attached_save_ages(struct attached *g)
{
	int rc = g->o->ages && g->ages.ages ?
			 attach_ages_save(g->o->ages, g->ages.ages,
					  g->ages.nr) : 0;

	if (rc)
		log_warn("--ages %s: %s", g->o->ages, error_text(-rc));
}

static int load_ages(struct attached *g)
{
	int rc = g->o->ages ? attach_ages_load(g->o->ages, &g->ages.ages,
					       &g->ages.nr) : -ENOENT;

	if (!rc || rc == -ENOENT)
		return 0;
	snprintf(g->why, sizeof(g->why), "--ages %s: %s; name a file that `vmm "
		 "attach --ages` wrote, or one that does not exist yet",
		 g->o->ages,
		 rc == -EINVAL ? "the file holds no page ages" :
				 error_text(-rc));
	return rc;
}

/*
 * Files in a directory outlive their guests: the file of a guest that has
 * booted since describes its previous run.
 */
int attached_begin_ages(struct attached *g)
{
	bool in_directory = false;
	int rc = g->o->ages ? attach_ages_file(&g->o->ages, g->o->service.name,
					       &in_directory) : 0;

	if (rc || (in_directory && !attach_ages_are_of(g->o->ages, g->pid) &&
		   !(g->domain && attach_domain_migrated_in(g->domain))))
		return rc;
	return load_ages(g);
}

int attached_restore_ages(struct attached *g)
{
	return g->ages.ages && g->service.engine ?
		       engine_set_ages(g->service.engine, g->ages.ages,
				       g->ages.nr) : 0;
}

/* --- migrating ------------------------------------------------------------ */

static enum qemu_migration migration_of(struct attached *g)
{
	enum qemu_migration m = g->domain ? attach_domain_migration(g->domain) :
					 QEMU_MIGRATION_NONE;

	if (m == QEMU_MIGRATION_NONE && g->qmp &&
	    qemu_guest_migration(g->qmp, &m, g->why, sizeof(g->why)))
		m = g->migration;
	/*
	 * Without libvirt and monitor nothing reports the state: the last one
	 * stays, as a guest that was migrated away does not return.
	 */
	if (!g->domain && !g->qmp)
		m = g->migration;
	return m;
}

/*
 * Pages that the guest did not use meanwhile keep the ages that they had
 * before, or on the source host.
 */
static void resume(struct attached *g, bool arrived)
{
	if (arrived && load_ages(g))
		log_warn("%s", g->why);
	if (attached_restore_ages(g))
		log_warn("page ages are lost: out of memory");
	if (g->service.engine)
		engine_pause(g->service.engine, false);
}

static void log_change(const struct attached *g, enum qemu_migration was)
{
	const char *what = was == QEMU_MIGRATION_INCOMING ?
				   "has arrived: reclaim resumes" :
				   "stays on this host: reclaim resumes";

	if (g->migration == QEMU_MIGRATION_OUTGOING)
		what = "is being migrated or saved: reclaim is paused";
	else if (g->migration == QEMU_MIGRATION_INCOMING)
		what = "is migrating to this host: reclaim is paused";
	log_info("%s %s", g->o->service.name, what);
}

void poll_migration(struct attached *g)
{
	/*
	 * Sampled before the query: if that finds no migration, none affected
	 * these ages.
	 */
	bool fresh = sample_ages(g);
	enum qemu_migration was = g->migration;

	g->migration = migration_of(g);
	if (fresh && g->migration == QEMU_MIGRATION_NONE)
		attach_ages_commit(&g->ages);
	if (g->migration == was)
		return;
	if (was == QEMU_MIGRATION_NONE && g->service.engine)
		engine_pause(g->service.engine, true);
	if (g->migration == QEMU_MIGRATION_NONE)
		resume(g, was == QEMU_MIGRATION_INCOMING);
	if (g->migration == QEMU_MIGRATION_OUTGOING)
		attached_save_ages(g);
	log_change(g, was);
}
