/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that serves one guest: view, agent server, access source, sink, engine
 * and the server behind the control socket.  `vmm run` passes the parts of its
 * own VM, `vmm attach` the memory of a guest that runs in another process.
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

/*
 * The parts of the VM; not owned, and they outlive the service.  NULL, except
 * for mem: another process runs the VM, or the VM has no such device.
 */
struct service_parts {
	struct guest_mem *mem;
	int vm_fd;			/* of the VM in KVM, or -1: unknown */
	struct vm *vm;
	struct virtio_vsock *vsock;	/* the agent connects through it */
	struct virtio_balloon *balloon;
};

/*
 * All owned unless said otherwise; NULL where a part does not exist.  Used by
 * one thread.  All zero before service_choose_source().
 */
struct service {
	const struct access_source_ops *source_ops;	/* chosen, or NULL */
	struct view *view;
	struct agent_server *agent;
	struct access_source *source;
	struct reclaim_sink *sink;
	struct engine *engine;
	struct stat_server *server;	/* behind the control socket */
	struct access_target *target;	/* what the source scans */
	struct access_guest *guest;	/* guest page tables, for target */
	struct engine_guest *guest_ops;	/* the engine's requests to the guest */
	struct virtio_balloon *balloon;	/* not owned */
};

/*
 * Chooses the access source, s->source_ops, before there is a VM: guest memory
 * must have the backing that the source needs.  Sets *backing to that of
 * --mem-backing if it was given, else to what the source needs.  0, also if
 * there is no source and none was required, or -errno with why.
 */
int service_choose_source(struct service *s, const struct service_options *o,
			  enum guest_mem_backing *backing, char *why,
			  size_t len);
/*
 * The same for a guest that runs already: "auto" chooses the first source that
 * works with its memory.
 */
int service_choose_source_for(struct service *s,
			      const struct service_options *o,
			      const struct service_parts *parts, char *why,
			      size_t len);
/*
 * Creates the parts of *s; before the VM starts.  0 or -errno with why; after a
 * failure *s has the parts that were created: call service_stop() and
 * service_close_sink() then, too.
 */
int service_start(struct service *s, const struct service_options *o,
		  const struct service_parts *parts, char *why, size_t len);
/*
 * Frees all parts but the sink: after the VM's threads have ended, before its
 * devices are freed.
 */
void service_stop(struct service *s);
/*
 * Closes the sink: after the VM's devices are freed, which until then may
 * access pages that the sink has evicted, and before its memory is freed.
 */
void service_close_sink(struct service *s);

#endif
