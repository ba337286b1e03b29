/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest agent: declarations shared by its files.
 *
 *   /proc --procfs.c--> regions --pages.c--> runs --delta.c--> changes
 *                                                   --stream.c--> host
 *
 * epoch.c does this for every process, once in each interval.
 *
 * One thread.  Memory use is bounded by what the processes map: one run for
 * each sequence of pages that are contiguous in virtual and in physical memory.
 */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest-agent/pgd.h"
#include "guest-agent/protocol.h"

/* --- stream.c: messages to the host, buffered ---------------------------- */
struct stream {
	int fd;			/* not owned; -1: only count the bytes */
	int error;		/* the first error, -errno; stays until init */
	uint64_t nr_bytes;	/* sent since init */
	size_t len;		/* bytes in buf */
	uint8_t buf[4 * PROTOCOL_MAX_FRAME];
	struct protocol_run runs[PROTOCOL_MAX_RECORDS];
	struct protocol_flags flags[PROTOCOL_MAX_RECORDS];
	unsigned int nr_runs, nr_flags;
};

void stream_init(struct stream *s, int fd);
void stream_put(struct stream *s, const struct protocol_message *msg);
/* Records are batched in one message; any other message sends them first. */
void stream_put_run(struct stream *s, const struct protocol_run *run);
void stream_put_flags(struct stream *s, const struct protocol_flags *flags);
/* Sends all buffered data.  0 or the stream's error. */
int stream_flush(struct stream *s);

/* --- procfs.c: parses /proc/PID ------------------------------------------- */
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
	size_t first_run, nr_runs;	/* in proc_snapshot.runs */
};

/* All regions of one process, and the frames mapped in them, at one time. */
struct proc_snapshot {
	struct region *regions;	/* owned, ascending */
	size_t nr_regions, max_regions;
	struct protocol_run *runs;	/* owned */
	size_t nr_runs, max_runs;
};

/* Fills an empty snapshot with the regions of pid.  0 or -errno. */
int proc_read_regions(pid_t pid, struct proc_snapshot *snap);
void proc_snapshot_free(struct proc_snapshot *snap);
/*
 * Makes room for one more element in an array that has nr elements of this size
 * and room for *max; updates both *array and *max.  0 or -ENOMEM.
 */
int array_grow(void **array, size_t nr, size_t *max, size_t size);

/* has_psi: the kernel reports PSI; else its values are 0.  0 or -errno. */
int proc_read_pressure(struct protocol_pressure *p, bool *has_psi);

/*
 * Reads at most size - 1 bytes of a file and appends a 0.  The number of bytes
 * read, or -errno.
 */
ssize_t proc_read_file(const char *path, char *buf, size_t size);
/* The number after key in text, or 0. */
uint64_t proc_number(const char *text, const char *key);
/* The same in bytes, where the text is "key  123 kB". */
uint64_t proc_bytes(const char *text, const char *key);

/* --- cache.c: clean page cache -------------------------------------------- */
/* Whether the kernel has an interface to drop page cache, which we may use. */
bool cache_can_drop(void);
/* Makes the kernel drop about this much, cold pages first if possible. */
void cache_drop(uint64_t nr_bytes);
/* How many bytes could be dropped; meminfo: the text of /proc/meminfo. */
uint64_t cache_clean_bytes(const char *meminfo);

/* --- pages.c: page frames and their flags --------------------------------- */
struct frames {
	uint64_t nr;		/* highest frame of RAM + 1 */
	int flags_fd;		/* /proc/kpageflags, or -1 */
	uint16_t *flags;	/* PROTOCOL_PG_* as last sent; owned */
	uint8_t *zero;		/* a bit for each frame: the zero page; owned */
	bool have_pfns;		/* pagemap has frame numbers */
	bool have_count;	/* /proc/kpagecount can be read */
};

/* 0 or -errno with why. */
int frames_init(struct frames *f, char *why, size_t len);
void frames_destroy(struct frames *f);
/* Whether memory was added that f does not cover. */
bool frames_have_grown(const struct frames *f);
/*
 * Sends the flags of frames where they changed since the last call, or of all
 * frames.  Flags that cannot be read are sent as 0: unknown.
 */
void frames_send_flags(struct frames *f, struct stream *s, bool all);
/* Adds the runs of every region of pid.  0 or -errno. */
int frames_read_runs(const struct frames *f, pid_t pid,
		     struct proc_snapshot *snap);

/* --- epoch.c: changes since the previous epoch ---------------------------- */
struct agent {
	/*
	 * These two are not touched by agent_init() and agent_destroy(): the
	 * caller initializes and destroys them.
	 */
	struct frames frames;
	struct pgds pgds;
	struct stream *stream;		/* not owned; set by agent_hello() */
	struct process *processes;	/* owned, by pid */
	size_t nr, max;
	uint64_t epoch;			/* last sent on this connection, or 0 */
	bool has_psi;			/* the kernel reports PSI */
	/* Of the last epoch, for --verbose: processes read; not read again. */
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

/* A connected, blocking fd, which the caller owns, or -errno with why. */
int transport_connect(const struct transport *t, char *why, size_t len);

/* --- dump.c ----------------------------------------------------------------- */
/* Prints messages from fd as text, until its end.  Returns an exit status. */
int dump_stream(int fd);

#endif
