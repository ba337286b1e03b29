/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest agent: declarations shared by its files.
 *
 *   /proc --procfs.c--> regions --pages.c--> runs --epoch.c--> changes
 *                                                   --stream.c--> host
 *
 * One thread.  Memory use is bounded by what the processes map: one run for
 * each sequence of pages that is contiguous in both address spaces.
 */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-agent/pgd.h"
#include "guest-agent/protocol.h"

/* --- stream.c: frames to the host, buffered ------------------------------ */
struct stream {
	int fd;			/* not owned; -1: count only */
	int error;		/* sticky -errno */
	uint64_t nr_bytes;
	size_t len;
	uint8_t buf[4 * PROTOCOL_MAX_FRAME];
	struct protocol_run runs[PROTOCOL_MAX_RECORDS];
	struct protocol_flags flags[PROTOCOL_MAX_RECORDS];
	unsigned int nr_runs, nr_flags;
};

void stream_init(struct stream *s, int fd);
void stream_put(struct stream *s, const struct protocol_message *msg);
/* Records are batched; any other message flushes them first. */
void stream_put_run(struct stream *s, const struct protocol_run *run);
void stream_put_flags(struct stream *s, const struct protocol_flags *flags);
/* Sends all buffered data.  0 or the stream's error. */
int stream_flush(struct stream *s);

/* --- procfs.c: /proc/PID as data ------------------------------------------ */
struct proc_stat {
	char comm[16];
	uint64_t start_time;	/* identifies the process, with the pid */
	uint64_t signature;	/* changes when faults, size or RSS do */
	uint64_t nr_bytes;	/* of address space; 0: none (any more) */
};

/* 0, or -errno: it has ended, or is not accessible. */
int proc_read_stat(pid_t pid, struct proc_stat *st);

struct region {
	uint64_t start, end, pgoff, dev, inode;
	uint32_t flags;		/* PROTOCOL_VM_* */
	size_t first_run, nr_runs;	/* in picture.runs */
};

/* All regions of one process and the frames mapped in them. */
struct picture {
	struct region *regions;	/* owned, ascending */
	size_t nr_regions, max_regions;
	struct protocol_run *runs;	/* owned */
	size_t nr_runs, max_runs;
};

/* Appends the regions of pid to an empty picture.  0 or -errno. */
int proc_read_regions(pid_t pid, struct picture *pic);
void picture_free(struct picture *pic);
/* Makes room for one more element; -ENOMEM. */
int picture_grow(void **array, size_t nr, size_t *max, size_t size);

int proc_read_pressure(struct protocol_pressure *p, bool *has_psi);

/* Reads at most size - 1 bytes of a file and appends a 0; or -errno. */
ssize_t proc_read_file(const char *path, char *buf, size_t size);
/* The number after "key", or 0; in bytes if it is "key  123 kB". */
uint64_t proc_number(const char *text, const char *key);
uint64_t proc_bytes(const char *text, const char *key);

/* --- cache.c: clean page cache ---------------------------------------------- */
/* Can the kernel be made to drop any? */
bool cache_can_drop(void);
/* Makes the kernel drop about this much, cold pages first. */
void cache_drop(uint64_t nr_bytes);
/* From /proc/meminfo: how much could be dropped. */
uint64_t cache_clean_bytes(const char *meminfo);

/* --- pages.c: frames and their flags -------------------------------------- */
struct frames {
	uint64_t nr;		/* highest frame of RAM + 1 */
	int flags_fd;		/* /proc/kpageflags, or -1 */
	uint16_t *flags;	/* PROTOCOL_PG_* as last sent; owned */
	uint8_t *zero;		/* a bit each: shared zero page; owned */
	bool have_pfns;		/* pagemap has frame numbers */
	bool have_count;	/* /proc/kpagecount can be read */
};

/* 0 or -errno with why. */
int frames_init(struct frames *f, char *why, size_t len);
void frames_destroy(struct frames *f);
/* Sends the flags that changed since the last call, or all.  0 or -errno. */
int frames_send_flags(struct frames *f, struct stream *s, bool all);
/* Fills in the runs of every region of pid. */
int frames_read_runs(const struct frames *f, pid_t pid, struct picture *pic);

/* --- epoch.c: changes since the previous epoch ---------------------------- */
struct agent {
	struct frames frames;
	struct pgds pgds;		/* owned by the caller */
	struct stream *stream;
	struct process *processes;	/* owned, by pid */
	size_t nr, max;
	uint64_t epoch;
	bool full_next;			/* the next epoch is full */
	bool has_psi;
	/* Of the last epoch, for --verbose. */
	uint64_t nr_examined, nr_unchanged;
};

void agent_init(struct agent *a);
void agent_destroy(struct agent *a);
/* A new connection: sends the hello; the next epoch is full. */
void agent_hello(struct agent *a, struct stream *s);
/* with_flags: read the flags of all frames too.  0 or the stream's error. */
int agent_epoch(struct agent *a, bool with_flags);

/* --- transport.c ----------------------------------------------------------- */
struct transport {
	const char *unix_path, *serial_path;	/* or NULL */
	unsigned int port;			/* of vsock */
	int fd;					/* already open, or -1 */
};

/* A connected, blocking fd, or -errno with why. */
int transport_connect(const struct transport *t, char *why, size_t len);

/* --- dump.c ----------------------------------------------------------------- */
/* Prints a stream of frames from fd as text, until its end.  Exit status. */
int dump_stream(int fd);

#endif
