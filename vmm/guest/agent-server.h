/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host end of the agent protocol: reads one connection at a time, decodes,
 * applies to the view.  A message that the decoder rejects ends the connection
 * with a rate-limited warning; the view stays as it is until the agent's next
 * full report.  An agent whose messages cost more than its share of time is not
 * read for a while (docs/protocol.md).
 */
#ifndef VMM_GUEST_AGENT_SERVER_H
#define VMM_GUEST_AGENT_SERVER_H

#include "vmm/guest/view.h"

struct agent_server;

int agent_server_new(struct agent_server **asp, struct view *view);
/* Disconnects and joins. */
void agent_server_free(struct agent_server *as);

/*
 * Takes over a connected stream socket (owned).  A new connection replaces the
 * old one.  Fits virtio_vsock_listen(); any thread.
 */
void agent_server_accept(int fd, void *as);

/*
 * Asks the guest to drop this many bytes of clean page cache, and then to
 * report its free memory; -ENOTCONN without an agent, -EINVAL for 0 bytes.
 */
int agent_server_drop_cache(struct agent_server *as, uint64_t nr_bytes);

#endif
