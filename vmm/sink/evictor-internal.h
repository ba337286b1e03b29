/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol between `vmm run` and its evictor: requests and replies, by a
 * SOCK_SEQPACKET socket.  A cancelled request is answered all the same.
 */
#ifndef VMM_SINK_EVICTOR_INTERNAL_H
#define VMM_SINK_EVICTOR_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#define EVICTOR_NAME "vmm-evictor"	/* argv[0] */

/* Descriptors that a new evictor has, besides /dev/null as 0 to 2. */
#define EVICTOR_SOCKET_FD 3
#define EVICTOR_MEM_FD	  4

#define EVICTOR_MAX_RUNS 512

struct evictor_run {
	uint32_t page, nr;	/* pages of the memfd; nr > 0 */
};

struct evictor_request {
	uint32_t nr_runs;
	uint32_t serial;	/* is repeated in the reply */
	struct evictor_run runs[EVICTOR_MAX_RUNS];
};

struct evictor_reply {
	uint32_t serial;
	uint32_t reserved;
	uint64_t cpu_ns;	/* used since the process began */
};

/* The evictor's main(): does not return. */
_Noreturn void evictor_process(void);

/* Gives up all that the evictor does not need.  False: the caller must exit. */
bool evictor_enter_jail(void);

#endif
