/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host end of the agent protocol: reads messages from one connection at a
 * time, decodes them and applies them to the view.  A message that the decoder
 * rejects ends the connection with a rate-limited warning; the view stays as it
 * is until the agent's next full report.  If an agent's messages cost more than
 * its share of CPU time, reading from it pauses (docs/protocol.md).
 */
#ifndef VMM_GUEST_AGENT_SERVER_H
#define VMM_GUEST_AGENT_SERVER_H

#include "vmm/guest/view.h"

struct agent_server;

/* Starts the server's thread.  view: not owned.  0 or -errno. */
int agent_server_new(struct agent_server **asp, struct view *view);
/* Disconnects the agent, and waits for the thread to end. */
void agent_server_free(struct agent_server *as);

/*
 * Takes over a connected stream socket (owned).  A new connection replaces the
 * old one.  Any thread; a callback for virtio_vsock_listen().
 */
void agent_server_accept(int fd, void *as);

/*
 * Requests that the guest drop this many bytes of clean page cache, and then
 * report its free memory.  0, once the request is queued; -ENOTCONN without an
 * agent, -EINVAL for 0 bytes.  It is lost if the connection ends before the
 * guest has read it, so the caller watches the reports.  Any thread.
 */
int agent_server_drop_cache(struct agent_server *as, uint64_t nr_bytes);

#endif
