/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GUEST_AGENT_PROTOCOL_H
#define GUEST_AGENT_PROTOCOL_H
#define VMM_AGENT_VSOCK_PORT 7417
#endif
