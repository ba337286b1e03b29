/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest agent's parts.  One thread, no locks.
 *
 *   proc_scan  /proc/PID/{maps,pagemap,stat,statm} -> struct proc_picture
 *   delta      two pictures -> messages
 *   pages      kpageflags -> flag messages
 *   transport  a stream to the host, or text for people
 */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "guest-agent/protocol.h"

/* Beyond this a process' picture is not kept, and it is sent whole. */
#define AGENT_MAX_KEPT_RUNS (UINT64_C(1) << 20)

struct out {			/* transport.c */
	int fd;			/* owned; -1: none */
	FILE *dump;		/* text instead; not owned */
	int error;		/* sticky, -errno */
	uint64_t nr_bytes;
	size_t fill;
	uint8_t buf[4 * PROTOCOL_MAX_FRAME];
};

int transport_vsock(unsigned int port);		/* fd or -errno */
int transport_unix(const char *path);
int transport_serial(const char *path);
void out_send(struct out *out, const struct protocol_message *msg);
int out_flush(struct out *out);
void dump_message(FILE *f, const struct protocol_message *msg);

struct proc_vma {
	struct protocol_vma v;
	size_t first_run, nr_runs;
};

struct proc_picture {		/* owned arrays; all zeros is an empty one */
	struct proc_vma *vmas;
	struct protocol_run *runs;
	size_t nr_vmas, cap_vmas, nr_runs, cap_runs;
};

/* What tells that a process may have changed, without reading its pages. */
struct proc_stamp {
	uint64_t starttime, minflt, majflt, size, rss, shared;
};

void picture_free(struct proc_picture *p);
/* 0 or -errno (-ESRCH: gone, -ENOENT: a kernel thread). */
int proc_read_stamp(uint32_t pid, struct proc_stamp *stamp, char comm[16]);
/* Pages beyond nr_frames are left out. */
int proc_scan(uint32_t pid, uint64_t nr_frames, struct proc_picture *p);

/* Sends a process: whole (old NULL), or what changed from old. */
void delta_send(struct out *out, uint32_t pid, const char comm[16],
		const struct proc_picture *old,
		const struct proc_picture *now);

struct pages {
	int fd;			/* owned: /proc/kpageflags; -1: may not */
	uint64_t nr_frames;
	uint16_t *last;		/* owned: flags as last sent */
};

/* 0 or -errno; without permission fd is -1 and the count still there. */
int pages_open(struct pages *p);
void pages_close(struct pages *p);
/* Sends the flags of all frames, or of those that changed. */
void pages_send(struct pages *p, struct out *out, bool all);

bool pressure_read(struct protocol_pressure *p);	/* true: PSI is there */

#endif
