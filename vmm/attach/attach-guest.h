/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by attach.c, attach-follow.c and attach-move.c; not for others. */
#ifndef VMM_ATTACH_ATTACH_GUEST_H
#define VMM_ATTACH_ATTACH_GUEST_H

#include "vmm/attach/attach.h"
#include "vmm/qemu/qemu-guest.h"
#include "vmm/service/service.h"

/* All owned; fds -1, pointers NULL: not there. */
struct attached {
	struct attach_options *o;	/* not owned */
	pid_t pid;
	int pidfd, vm_fd;
	int stop_fd;			/* not owned: the stop guard's */
	struct qmp *qmp;
	struct attach_domain *domain;
	struct qemu_memory memory;
	bool unserved;			/* not by mem and service yet */
	struct guest_mem *mem;
	struct service service;
	uint64_t mappings;		/* a hash */
	struct attach_ages ages;
	enum qemu_motion motion;
	struct engine_policy resumed;	/* when it stays again */
	bool warned_qmp;
	unsigned int nr_missing;	/* looks at which some was not found */
	char why[1024];
};

/* --- attach.c: all return 0 or -errno with g->why, or nothing ------------------ */

/* Where its memory is now. */
int attached_find_memory(struct attached *g, struct qemu_memory *memory);
/* It can be served, and how. */
int attached_check_memory(struct attached *g);
/* The engine, on g->memory, with the policy of g->o. */
int attached_start(struct attached *g);
void attached_stop(struct attached *g);
/* Changes when something is mapped or unmapped that may be memory of the guest. */
uint64_t attached_hash_mappings(const struct attached *g);

/* --- attach-follow.c: what changes under us ------------------------------------ */

/* look: also if nothing tells.  0, or -errno: it can't be served any more. */
int follow_memory(struct attached *g, bool look);
/* The engine's; while there is none, that of the next one. */
struct engine_policy attached_policy(const struct attached *g);
void attached_set_policy(struct attached *g, const struct engine_policy *policy);
void follow_policy(struct attached *g);
void follow_agent(struct attached *g);
/* True: something happened. */
bool follow_monitor(struct attached *g);

/* --- attach-move.c: it migrates, is saved, or comes by that --------------------- */

void follow_motion(struct attached *g);
/* As the engine has them, unless the guest moves. */
void attached_keep_ages(struct attached *g);
/* To and from the file of g->o, where there is one; the engine gets what we have. */
void attached_save_ages(struct attached *g);
int attached_load_ages(struct attached *g);
/* The same when it is attached to; names the file, where it is a directory. */
int attached_begin_ages(struct attached *g);
int attached_give_ages(struct attached *g);

#endif
