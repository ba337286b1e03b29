/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What serves one guest: picture, agent server, access source, sink, engine and
 * control socket.  `vmm run` gives it the parts of a VM of its own, and
 * `vmm attach` the memory of a guest that runs elsewhere.
 */
#ifndef VMM_SERVICE_SERVICE_H
#define VMM_SERVICE_SERVICE_H

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
struct service_parts {
	struct guest_mem *mem;
	int vm_fd;			/* KVM's, or -1 */
	struct vm *vm;
	struct virtio_vsock *vsock;	/* the agent comes by it */
	struct virtio_balloon *balloon;
};

/* All owned; NULL what is not there. */
struct service {
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
int service_choose(struct service *s, const struct service_options *o,
		   enum guest_mem_backing *backing, char *why, size_t len);
/*
 * The same for a guest that runs already: "auto" is the first source that says
 * it can serve its memory.
 */
int service_choose_for(struct service *s, const struct service_options *o,
		       const struct service_parts *parts, char *why,
		       size_t len);
/*
 * Before the VM starts.  0 or -errno with why; what was made before a failure
 * is in *s, for service_stop().
 */
int service_start(struct service *s, const struct service_options *o,
		  const struct service_parts *parts, char *why, size_t len);
/* After the VM's threads ended, before its devices go. */
void service_stop(struct service *s);
/*
 * After its devices went: until then they may touch pages that the sink has.
 * Before its memory goes.
 */
void service_free(struct service *s);

#endif
