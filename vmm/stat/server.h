/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control and statistics socket: HTTP/1.1 over a unix stream socket, one
 * VM a socket.
 *
 *   GET /vms            [{"name": ..., "pid": ..., ...}]
 *   GET /stats          everything, JSON
 *   GET /metrics        OpenMetrics
 *   GET /events         one JSON line a scan, streaming
 *   GET|PUT /policy     JSON, members as in struct engine_policy
 *   GET|PUT /balloon    {"target": BYTES} that the guest is to give up
 *   GET /page/GFN       frame -> age, flags, mappings
 *   POST /referenced/GFN
 *                       who has used the frame; clears the accessed bits
 *   GET /processes      what the agent told
 *   GET /process/PID    VMAs with resident, idle-by-age
 *   GET /map?pid=PID&start=ADDRESS&end=ADDRESS
 *                       the state of each page, as runs of pages
 *   GET /wss[?window=SECONDS][&pid=PID]
 *                       working set, with its error; idle-age histogram
 *
 * Errors are {"error": "..."} with a 4xx status.
 */
#ifndef VMM_STAT_SERVER_H
#define VMM_STAT_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/policy/engine.h"
#include "vmm/view/view.h"

struct stat_server;
struct vm;
struct virtio_balloon;

struct stat_server_config {
	const char *path;	/* socket; mode 0600; a stale one is replaced */
	const char *name;	/* of the VM */
	struct guest_mem *mem;	/* this and below: not owned */
	struct view *view;
	struct engine *engine;
	struct reclaim_sink *sink;		/* may be NULL */
	struct vm *vm;				/* may be NULL (attach) */
	struct virtio_balloon *balloon;		/* may be NULL */
};

/* -EADDRINUSE: another vmm listens there.  why says what and the remedy. */
int stat_server_new(struct stat_server **sp,
		    const struct stat_server_config *config, char *why,
		    size_t len);
/* Closes, removes the socket. */
void stat_server_free(struct stat_server *server);

#endif
