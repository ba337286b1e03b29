/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control and statistics socket: HTTP/1.1 over a unix stream socket, one
 * socket per VM.
 *
 *   GET /vms            [{"name": ..., "pid": ..., ...}]
 *   GET /stats          everything, JSON
 *   GET /metrics        OpenMetrics
 *   GET /events         one JSON line per scan, streaming
 *   GET|PUT /policy     JSON, members as in struct engine_policy
 *   GET|PUT /balloon    {"target": BYTES} that the guest is to give up
 *   GET /page/GFN       frame -> age, flags, mappings
 *   POST /referenced/GFN
 *                       which mappings were used; clears the accessed bits
 *   GET /processes      the processes that the agent reported
 *   GET /process/PID    VMAs with resident, idle-by-age
 *   GET /map?pid=PID&start=ADDRESS&end=ADDRESS
 *                       the state of each page, as runs of pages
 *   GET /wss[?window=SECONDS][&pid=PID]
 *                       working set, with its error; idle-age histogram
 *
 * Errors are {"error": "..."} with a 4xx or 5xx status.
 *
 * A client may be a program that hangs, so everything has a limit:
 *
 *   64 connections   (fewer if few file descriptors are left): one more closes
 *                    the one that was idle for the longest
 *   20 s             without a byte, in or out, end a connection (not /events)
 *   32 KiB           a request line with its headers (431)
 *   64 KiB           a body (413, at once)
 *   16 readers       of /events (503), each with a backlog of 256 KiB
 *   16 requests      that examine much of the guest, one after the other, each
 *                    as long as its client waits and for 30 s of CPU (503); all
 *                    other requests are answered meanwhile
 *   0.1 s            that an answer waits for a count of resident pages, where
 *                    no engine keeps that count; no other request is answered
 *                    meanwhile
 */
#ifndef VMM_CONTROL_SERVER_H
#define VMM_CONTROL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/control/providers.h"
#include "vmm/engine/engine.h"
#include "vmm/guest/view.h"

struct stat_server;
struct stat_job_limit;
struct resident_count;

struct stat_server_config {
	const char *path;	/* socket; mode 0600; a stale one is replaced */
	const char *name;	/* of the VM */
	struct guest_mem *mem;	/* this and below: not owned */
	struct view *view;
	struct engine *engine;
	struct reclaim_sink *sink;		/* may be NULL */
	struct stat_vm_provider vm;
	struct stat_balloon_provider balloon;
	/* Limits the current request; set by the server; NULL: no limit. */
	const struct stat_job_limit *job_limit;
	/* Set by the server, and owned by it, where there is no engine. */
	struct resident_count *resident;
};

/* -EADDRINUSE: another vmm listens there.  why has cause and remedy. */
int stat_server_new(struct stat_server **sp,
		    const struct stat_server_config *config, char *why,
		    size_t len);
/* Ends all connections and removes the socket. */
void stat_server_free(struct stat_server *server);

#endif
