/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire protocol between the guest agent and the host; every byte is
 * documented in docs/protocol.md.
 *
 * Pure: no I/O, no allocation, no C library calls, so that the same code runs
 * in the agent, in the host and in a guest without an operating system.  All
 * buffers are the caller's.  Not thread-safe; one decoder for each connection
 * and direction.
 */
#ifndef GUEST_AGENT_PROTOCOL_H
#define GUEST_AGENT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_AGENT_VSOCK_PORT 7417

#define PROTOCOL_MAGIC	     UINT32_C(0x414d4d56)	/* "VMMA" */
#define PROTOCOL_VERSION     1
#define PROTOCOL_PAGE_SIZE   4096
#define PROTOCOL_HEADER_SIZE 8
#define PROTOCOL_MAX_RECORDS 1024	/* per RUNS or FLAGS message */
#define PROTOCOL_MAX_PAYLOAD (PROTOCOL_MAX_RECORDS * 24)
#define PROTOCOL_MAX_FRAME   (PROTOCOL_HEADER_SIZE + PROTOCOL_MAX_PAYLOAD)
#define PROTOCOL_MAX_ADDR    (UINT64_C(1) << 56)	/* user half, 5 levels */
#define PROTOCOL_NO_PGD	     UINT64_MAX

enum protocol_type {
	/* guest to host */
	PROTOCOL_HELLO = 1,
	PROTOCOL_EPOCH_BEGIN = 2,
	PROTOCOL_EPOCH_END = 3,
	PROTOCOL_MM = 4,	/* begins the section of a process */
	PROTOCOL_MM_END = 5,
	PROTOCOL_VMA = 6,	/* a region of that process */
	PROTOCOL_RUNS = 7,	/* pages mapped in that region */
	PROTOCOL_FLAGS = 8,	/* of page frames */
	PROTOCOL_PRESSURE = 9,	/* memory use and pressure of the guest */
	PROTOCOL_FORGET = 10,	/* a process has ended */
	/* host to guest; 64 is unused */
	PROTOCOL_DROP_CACHE = 65,	/* drop clean page cache */
};

/* hello.features: what the agent can send. */
#define PROTOCOL_FEAT_PFN   0x01u	/* frame numbers (pagemap as root) */
#define PROTOCOL_FEAT_FLAGS 0x02u	/* kpageflags */
#define PROTOCOL_FEAT_COUNT 0x04u	/* kpagecount */
#define PROTOCOL_FEAT_PSI   0x08u
#define PROTOCOL_FEAT_PGD   0x10u	/* mm.pgd is filled in */
#define PROTOCOL_FEAT_LA57  0x20u	/* page tables have five levels */
#define PROTOCOL_FEAT_CACHE 0x40u	/* DROP_CACHE is supported */
#define PROTOCOL_FEAT_ALL   0x7fu

/* epoch.flags: a full epoch; processes that it does not report have ended */
#define PROTOCOL_EPOCH_FULL 0x1u
/* mm.flags: the section has only changes since the process was last sent */
#define PROTOCOL_MM_DELTA   0x1u

enum protocol_vma_op {
	PROTOCOL_VMA_NEW = 0,
	PROTOCOL_VMA_KEEP = 1,	/* delta only: runs for a known region follow */
	PROTOCOL_VMA_GONE = 2,	/* delta only: before all NEW and KEEP */
};

/* vma.flags */
#define PROTOCOL_VM_READ   0x01u
#define PROTOCOL_VM_WRITE  0x02u
#define PROTOCOL_VM_EXEC   0x04u
#define PROTOCOL_VM_SHARED 0x08u
#define PROTOCOL_VM_LOCKED 0x10u
#define PROTOCOL_VM_STACK  0x20u
#define PROTOCOL_VM_HEAP   0x40u
#define PROTOCOL_VM_ALL	   0x7fu

/* flags of FLAGS records, for page frames */
#define PROTOCOL_PG_LOCKED     0x0001u	/* mlocked or unevictable */
#define PROTOCOL_PG_RESERVED   0x0002u
#define PROTOCOL_PG_FREE       0x0004u
#define PROTOCOL_PG_SLAB       0x0008u
#define PROTOCOL_PG_PGTABLE    0x0010u
#define PROTOCOL_PG_ANON       0x0020u
#define PROTOCOL_PG_FILE       0x0040u
#define PROTOCOL_PG_DIRTY      0x0080u
#define PROTOCOL_PG_KSM	       0x0100u
#define PROTOCOL_PG_HUGE       0x0200u
#define PROTOCOL_PG_SWAPBACKED 0x0400u
#define PROTOCOL_PG_ALL	       0x07ffu

#define PROTOCOL_RUN_UNMAPPED 0x1u	/* pages are not mapped now; gfn is 0 */

struct protocol_hello {
	uint32_t page_size, features;
	uint64_t nr_frames;	/* highest frame number + 1 */
};

struct protocol_epoch {
	uint64_t number;
	uint32_t flags;		/* of BEGIN; 0 in END */
};

struct protocol_mm {
	uint32_t pid, flags;
	uint64_t pgd;		/* guest physical, or PROTOCOL_NO_PGD */
	char comm[16];		/* padded with zeros, ends with one */
};

struct protocol_vma {
	uint64_t start, end, pgoff, dev, inode;
	uint32_t flags, op;
};

/* `count` pages from vaddr on, mapped to as many frames from gfn on. */
struct protocol_run {
	uint64_t vaddr, gfn;
	uint32_t count, flags;
};

/* All `count` frames from gfn on have these flags. */
struct protocol_flags {
	uint64_t gfn;
	uint32_t count, flags;
};

struct protocol_pressure {	/* bytes; PSI in 1/100 % and us */
	uint64_t mem_total, mem_free, mem_available, cached, dirty;
	uint64_t some_total_us, full_total_us;
	uint32_t some_avg10, full_avg10;
	/* Page cache that the guest could drop: clean and unmapped. */
	uint64_t clean_cache;
	/* Since boot: evicted pages that were read back. */
	uint64_t nr_refaults_file, nr_refaults_anon;
};

struct protocol_message {
	enum protocol_type type;
	uint32_t nr;		/* records of RUNS and FLAGS */
	union {
		struct protocol_hello hello;
		struct protocol_epoch epoch;
		struct protocol_mm mm;
		struct protocol_vma vma;
		const struct protocol_run *runs;
		const struct protocol_flags *flags;
		struct protocol_pressure pressure;
		uint32_t pid;		/* MM_END, FORGET */
		uint64_t drop_bytes;	/* DROP_CACHE: at most, not 0 */
	};
};

/*
 * Writes one message with its header to buf and returns the length; 0 if it
 * does not fit or has too many records (or none).  All other checks are left to
 * the decoder.
 */
size_t protocol_encode(const struct protocol_message *msg, void *buf,
		       size_t len);

enum protocol_error {
	PROTOCOL_OK = 0,
	PROTOCOL_E_TYPE,	/* unknown, or of the other direction */
	PROTOCOL_E_LENGTH,	/* payload length wrong for the type */
	PROTOCOL_E_RESERVED,	/* a field that must be zero is not */
	PROTOCOL_E_MAGIC,
	PROTOCOL_E_VERSION,
	PROTOCOL_E_PAGE_SIZE,
	PROTOCOL_E_FEATURES,
	PROTOCOL_E_NR_FRAMES,
	PROTOCOL_E_NO_HELLO,	/* a message before the hello */
	PROTOCOL_E_HELLO_TWICE,
	PROTOCOL_E_NO_EPOCH,	/* outside an epoch */
	PROTOCOL_E_IN_EPOCH,	/* an epoch within an epoch */
	PROTOCOL_E_EPOCH_NR,	/* not above the last; or END's differs */
	PROTOCOL_E_NO_MM,	/* outside a process's section */
	PROTOCOL_E_IN_MM,	/* only outside a process's section */
	PROTOCOL_E_PID,		/* zero, too large; or MM_END's differs */
	PROTOCOL_E_PGD,		/* unaligned or not in guest memory */
	PROTOCOL_E_COMM,
	PROTOCOL_E_DELTA,	/* needs a delta, or not allowed here */
	PROTOCOL_E_ORDER,	/* not ascending */
	PROTOCOL_E_OVERLAP,
	PROTOCOL_E_ALIGN,
	PROTOCOL_E_RANGE,	/* empty, wraps or beyond the address space */
	PROTOCOL_E_FLAGS,	/* unknown bits */
	PROTOCOL_E_NO_VMA,	/* runs without a region */
	PROTOCOL_E_OUTSIDE_VMA,
	PROTOCOL_E_GFN,		/* not in guest memory */
	PROTOCOL_E_VALUE,	/* a number out of bounds */
	PROTOCOL_NR_ERRORS,
};

/* A description for error messages; never NULL. */
const char *protocol_error_text(int error);

enum protocol_sender { PROTOCOL_FROM_GUEST, PROTOCOL_FROM_HOST };

struct protocol_decoder {
	enum protocol_sender sender;
	uint64_t max_frames;	/* limit of hello.nr_frames */
	uint64_t nr_frames;	/* from the hello */
	int error;		/* once set, the decoder accepts nothing more */
	/*
	 * A hello was received; now in an epoch (which is full), a process's
	 * section (which is a delta), a region (which is gone).
	 */
	bool hello, epoch, full, mm, delta, vma, vma_gone;
	uint64_t epoch_nr;
	uint32_t pid;
	/* Of the current region, and the lowest address of its next run. */
	uint64_t vma_start, vma_end, run_next;
	/* Lowest start of the next GONE region, and of the next other one. */
	uint64_t gone_next, vma_next;
	uint32_t fill;		/* bytes in buf */
	uint8_t buf[PROTOCOL_MAX_FRAME];
	union {
		struct protocol_run runs[PROTOCOL_MAX_RECORDS];
		struct protocol_flags flags[PROTOCOL_MAX_RECORDS];
	} rec;
};

/* max_frames: frames of the guest; not used for messages from the host. */
void protocol_decoder_init(struct protocol_decoder *d,
			   enum protocol_sender sender, uint64_t max_frames);

/*
 * Consumes bytes of data, *used of them, until a message is complete.
 * 1: *msg is set, and its records are valid until the next call; 0: all bytes
 * were used, and more are needed; below 0: a negated enum protocol_error, which
 * all later calls return too.
 */
int protocol_decode(struct protocol_decoder *d, const void *data, size_t len,
		    size_t *used, struct protocol_message *msg);

#endif
