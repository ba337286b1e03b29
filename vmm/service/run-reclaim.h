/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The half of `vmm run` that this program exists for: view, agent server,
 * access source, sink, engine and statistics socket of one VM; and all of
 * `vmm attach` but finding the guest.
 */
#ifndef VMM_SERVICE_RUN_RECLAIM_H
#define VMM_SERVICE_RUN_RECLAIM_H

#include <stddef.h>

#include "vmm/mem/guest-mem.h"

struct access_guest;
struct access_source_ops;
struct access_source;
struct agent_server;
struct engine;
struct engine_guest;
struct reclaim_sink;
struct service_options;
struct stat_server;
struct view;
struct virtio_balloon;
struct virtio_vsock;
struct vm;

/* What there is of the VM; not owned, outlives all.  NULL: not ours. */
struct run_parts {
	struct guest_mem *mem;
	int vm_fd;			/* KVM's, or -1 */
	struct vm *vm;
	struct virtio_vsock *vsock;	/* the agent comes by it */
	struct virtio_balloon *balloon;
};

/* All owned; NULL what is not there. */
struct run_reclaim {
	const struct access_source_ops *ops;	/* NULL: no accessed bits */
	struct view *view;
	struct agent_server *agent;
	struct access_source *source;
	struct reclaim_sink *sink;
	struct engine *engine;
	struct stat_server *server;
	struct access_target *target;	/* of the source */
	struct access_guest *guest;	/* of the target */
	struct engine_guest *asks;	/* of the engine */
	struct virtio_balloon *balloon;	/* not owned */
};

/*
 * Chooses the access source, before there is a VM: guest memory must be what
 * it needs.  *backing is what o asks for, or the source needs.  0 or -errno
 * with why.
 */
int run_reclaim_choose(struct run_reclaim *r, const struct service_options *o,
		       enum guest_mem_backing *backing, char *why, size_t len);
/*
 * The same for a guest that runs already: "auto" is the first source that says
 * it can serve its memory.
 */
int run_reclaim_choose_for(struct run_reclaim *r,
			   const struct service_options *o,
			   const struct run_parts *parts, char *why,
			   size_t len);
/*
 * Before the VM starts.  0 or -errno with why; what was made before a failure
 * is in *r, for run_reclaim_stop().
 */
int run_reclaim_start(struct run_reclaim *r, const struct service_options *o,
		      const struct run_parts *parts, char *why, size_t len);
/* After the VM's threads ended, before its devices go. */
void run_reclaim_stop(struct run_reclaim *r);
/*
 * After its devices went: until then they may touch pages that the sink has.
 * Before its memory goes.
 */
void run_reclaim_free(struct run_reclaim *r);

#endif
