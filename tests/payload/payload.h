/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload: a bare-metal guest with known access patterns.  It has
 * "processes": address spaces with their own page tables (4 KiB pages), each
 * with a private region and, on request, a region whose frames they all share.
 * Every page's content is a function of its number and a counter; the expected
 * counter of each page is kept separately, so that a page whose content is
 * lost, of another page, or old is counted as an error.
 *
 * All C code runs in ring 3 on an identity map of guest memory and the MMIO
 * hole, which every address space contains below 512 GiB.
 */
#ifndef TESTS_PAYLOAD_PAYLOAD_H
#define TESTS_PAYLOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/payload/layout.h"

#define PAGE_SHIFT	12
#define PAGE_BYTES	4096ul
#define PAYLOAD_MAX_PROCS	16
#define PAYLOAD_PID_BASE	1000u	/* process i has pid 1000 + i */
#define PAYLOAD_PRIVATE_VA	(UINT64_C(1) << 39)
#define PAYLOAD_SHARED_VA	(UINT64_C(2) << 39)

enum pattern {
	PATTERN_HOTCOLD,	/* uniformly over the hot pages */
	PATTERN_ZIPF,		/* exponent 1 over all pages */
	PATTERN_SEQUENTIAL,	/* sweeps over all pages */
	PATTERN_PHASE,		/* hotcold; another hot set every phase_ms */
	PATTERN_SHARED,		/* hotcold, and thirds of the shared region */
	PATTERN_UNIFORM,	/* all pages alike */
	PATTERN_IDLE,		/* fills memory, then touches nothing */
};

/* See hostile.c. */
enum hostile {
	HOSTILE_NOT,
	HOSTILE_INFLATE,	/* all of memory to the balloon, over and over */
	HOSTILE_REPORT,		/* all of it as free pages, in longest chains */
	HOSTILE_REPORT_AGAIN,	/* the same memory 256 times in a chain */
	HOSTILE_DISK_READ,	/* 254 times all of memory in one request */
	HOSTILE_DISK_WRITE,
	HOSTILE_DISK_BUSY,	/* the largest requests that are taken */
	HOSTILE_DISK_LEAVE,	/* powers off while its request is served */
	HOSTILE_RANDOM,		/* 256 times all of memory in one request */
	HOSTILE_FRAMES,		/* packets, as fast as it goes */
	HOSTILE_FRAME,		/* 256 times all of memory as one packet */
	HOSTILE_CONNECT,	/* vsock connections, 1,020 and then more */
	HOSTILE_EMPTY,		/* vsock packets without data */
	HOSTILE_NOTIFY,		/* notifications of all queues of all devices */
	HOSTILE_PRINT,		/* to the console, whether it is ready or not */
};

struct args {
	enum hostile hostile;	/* instead of the pattern */
	enum pattern pattern;
	uint64_t mem_bytes;	/* data in all; 0: all there is */
	uint64_t shared_bytes;
	unsigned int hot_percent;
	unsigned int nr_procs;
	unsigned int cluster;	/* hot pages come in runs of this many */
	bool scatter;		/* hot runs in random places, else in front */
	unsigned int write_percent;
	unsigned int cold_ppm;	/* operations that go to any page instead */
	unsigned int pace_us;	/* pause after each batch */
	uint64_t duration_ms, report_ms, phase_ms;
	uint64_t warmup_ms;	/* before it, nothing is "measured" */
	uint64_t seed;
	uint64_t tsc_khz;	/* 0: find out */
	unsigned int nr_cpus;	/* 0: ask ACPI */
	bool verify, check, agent;
	bool latency;		/* time each operation */
};

/* False: a word with a bad value, named in *bad (until its blank). */
bool args_parse(const char *cmdline, struct args *args, const char **bad);
const char *args_pattern_name(enum pattern pattern);

/* --- memory.c: frames, page tables ---------------------------------------- */
#define MAX_EXTENTS 4

struct extent {
	uint64_t gfn, nr;
};

struct region {
	uint64_t va, nr;	/* pages */
	uint32_t id;		/* tells equal page numbers apart */
	bool shared;
	unsigned int nr_extents;
	struct extent extents[MAX_EXTENTS];	/* in order of address */
	uint32_t *counters;	/* a page; bit 31: locked (shared regions) */
};

struct e820_entry {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

/* Takes RAM above the image into the allocator, and makes the identity map. */
bool memory_init(const struct e820_entry *map, unsigned int nr);
uint64_t memory_free_pages(void);
uint64_t memory_ram_pages(void);	/* top of guest RAM */
/* Zeroed, contiguous, of the table pool; 0 when that is used up. */
uint64_t memory_alloc_run(uint64_t nr_pages);
/* The pool's size from here on; what it leaves is for regions. */
bool memory_size_pool(uint64_t nr_pages);
/* Frames of a region, perhaps in several extents. */
bool memory_alloc_region(struct region *region, uint64_t nr_pages);
/* A new address space holding the identity map; its PML4's address or 0. */
uint64_t memory_new_space(void);
/* Around the making of all address spaces, for memory_tables(). */
void memory_begin_tables(void);
void memory_end_tables(void);
/* The i-th run of page tables; false at the end. */
bool memory_tables(unsigned int i, struct extent *ext);
bool memory_map_region(uint64_t cr3, const struct region *region);
/* The pool: page tables, counters, queues. */
struct extent memory_pool(void);
uint64_t memory_pool_used(void);	/* pages */
/* The next free extent after *ext (start with {0, 0}); false at the end. */
bool memory_next_free(struct extent *ext);
struct extent memory_image(void);
uint64_t region_gfn(const struct region *region, uint64_t index);

/* --- verify.c: what a page must hold --------------------------------------- */
void page_write(uint64_t *page, uint32_t id, uint64_t index, uint32_t counter);
/* Every word. */
bool page_is(const uint64_t *page, uint32_t id, uint64_t index,
	     uint32_t counter);
/* One word in `which` (any number). */
bool page_word_is(const uint64_t *page, uint32_t id, uint64_t index,
		  uint32_t counter, uint64_t which);

/* --- random.c --------------------------------------------------------------- */
struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
/* 0 .. below - 1 */
uint64_t rng_below(struct rng *rng, uint64_t below);
/* A permutation of 0 .. n-1 that depends on seed. */
uint64_t permute(uint64_t i, uint64_t n, uint64_t seed);
struct zipf {
	uint64_t n;
	uint64_t log2_n;	/* in units of 2^-32 */
};

/* On vCPU 0 before the others draw: the first call builds a table. */
void zipf_init(struct zipf *zipf, uint64_t n);
/* 0 .. n-1, probability about proportional to 1 / (rank + 1). */
uint64_t zipf_next(const struct zipf *zipf, struct rng *rng);

/* --- latency.c -------------------------------------------------------------- */
#define LATENCY_PARTS	 8	/* classes a power of two */
#define LATENCY_LOG2_MAX 42	/* all from 2^42 on is the last class */
#define LATENCY_CLASSES	 ((LATENCY_LOG2_MAX - 2) * LATENCY_PARTS)

struct latency {
	uint64_t counts[LATENCY_CLASSES];
};

unsigned int latency_class(uint64_t value);
/* The least value beyond the class. */
uint64_t latency_class_end(unsigned int class);
void latency_add(struct latency *latency, uint64_t value);
void latency_sum(struct latency *sum, const struct latency *more);
void latency_subtract(struct latency *from, const struct latency *less);
/* 0 when nothing was counted. */
uint64_t latency_percentile(const struct latency *latency, unsigned int ppm);

/* --- pattern.c ---------------------------------------------------------------- */
struct proc {
	unsigned int index;
	uint64_t cr3;
	struct region private_region;
	struct region *shared_region;	/* or NULL; the same for all */
	struct rng rng;
	uint64_t nr_hot;		/* of the private region */
	uint64_t hot_seed;		/* another phase, another hot set */
	uint64_t cursor;		/* of the sequential pattern */
	struct zipf zipf;
	/* Written by the vCPU that runs it, read by vCPU 0. */
	volatile uint64_t nr_ops, nr_errors, nr_checked, max_batch_tsc;
	struct latency latency;		/* TSC ticks */
};

void pattern_init(struct proc *proc, const struct args *args);
void pattern_fill(struct proc *proc);
/* BATCH_OPS operations in the current address space. */
#define BATCH_OPS 64
void pattern_batch(struct proc *proc, const struct args *args);
void pattern_shift(struct proc *proc, const struct args *args);
/* Every page of the process against its counter, for the last time. */
void pattern_check(struct proc *proc);

/* --- measure.c: throughput and latencies, after the warm-up --------------- */
void measure_init(const struct proc *procs, const struct args *args);
/* The warm-up is over. */
void measure_begin(void);
/* Members of an event that is open; end_of_run: the TSC. */
void measure_report_interval(void);
void measure_report(uint64_t end_of_run);

/* --- clock.c, serial.c -------------------------------------------------------- */
extern uint32_t payload_hypervisor_khz;	/* of CPUID 0x40000010 in ring 0 */
/* How the frequency was found, for the report. */
const char *clock_init(uint64_t tsc_khz);
uint64_t clock_tsc_khz(void);
uint64_t clock_ms_to_tsc(uint64_t ms);
uint64_t clock_tsc_to_us(uint64_t tsc);

/* One JSON object a line: json_open, members, json_close sends it. */
void json_open(const char *event);
void json_u64(const char *key, uint64_t value);
void json_hex(const char *key, uint64_t value);
void json_text(const char *key, const char *value);
void json_close(void);
/* A 'q' came in: the run is to end now, the final check to follow. */
bool serial_asks_to_stop(void);

/* --- acpi.c ------------------------------------------------------------------ */
/* rsdp: as in boot_params; 0 or wrong: no tables. */
void acpi_init(uint64_t rsdp);
unsigned int acpi_nr_processors(void);		/* 0: not known */
void power_off(void) __attribute__((noreturn));

/* --- agent.c, vsock.c: the agent protocol over virtio-vsock --------------- */
struct agent_view {
	const struct proc *procs;
	unsigned int nr_procs;
};

/* NULL, or why there is no agent. */
const char *agent_start(const struct agent_view *view);
/* Serves the connection; cheap, call often. */
void agent_poll(void);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int c, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);

#endif
