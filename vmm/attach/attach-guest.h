/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by attach.c, attach-poll.c and attach-migrate.c only. */
#ifndef VMM_ATTACH_ATTACH_GUEST_H
#define VMM_ATTACH_ATTACH_GUEST_H

#include "vmm/attach/attach.h"
#include "vmm/qemu/qemu-guest.h"
#include "vmm/service/service.h"

/* All owned; absent: -1 for fds, NULL for pointers. */
struct attached {
	struct attach_options *o;	/* not owned */
	pid_t pid;
	int pidfd, vm_fd;
	int stop_fd;			/* not owned: the stop guard's */
	struct qmp *qmp;
	struct attach_domain *domain;
	struct qemu_memory memory;
	bool unserved;			/* the engine is not yet on `memory` */
	struct guest_mem *mem;
	struct service service;
	uint64_t mappings;		/* attached_hash_mappings(), last */
	struct attach_ages ages;
	enum qemu_migration migration;
	bool warned_qmp;		/* of the lost monitor */
	unsigned int nr_missing;	/* checks that found only a part */
	char why[1024];
};

/* --- attach.c: all return 0 or -errno with g->why, or nothing ------------------ */

/* Where the guest memory is now. */
int attached_find_memory(struct attached *g, struct qemu_memory *memory);
/* Whether g->memory can be served; sets its backing. */
int attached_check_memory(struct attached *g);
/* Starts the engine on g->memory, with the policy of g->o. */
int attached_start(struct attached *g);
void attached_stop(struct attached *g);
/* Changes when a mapping that may be guest memory is added or removed. */
uint64_t attached_hash_mappings(const struct attached *g);

/* --- attach-poll.c: what changes while attached ------------------------- */

/*
 * poll_due: search even if no mapping changed.  -errno: the guest can't be
 * served any more.
 */
int poll_memory(struct attached *g, bool poll_due);
void poll_policy(struct attached *g);
void poll_agent(struct attached *g);
/* True: there were events. */
bool poll_monitor(struct attached *g);

/* --- attach-migrate.c: migration, save, restore --------------------------- */

void poll_migration(struct attached *g);
/* Updates g->ages, unless the guest is being migrated or saved. */
void attached_refresh_ages(struct attached *g);
/* Writes g->ages to the ages file of g->o, if any. */
void attached_save_ages(struct attached *g);
/*
 * When attaching: reads the ages file, if any; if g->o names a directory, first
 * replaces it by the file in it.
 */
int attached_begin_ages(struct attached *g);
/* Gives the engine the ages that were read. */
int attached_restore_ages(struct attached *g);

#endif
