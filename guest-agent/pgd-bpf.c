// SPDX-License-Identifier: GPL-2.0-or-later
/* Page table roots by a BPF iterator over tasks: Linux 5.16, with BTF. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "guest-agent/pgd-record.h"
#include "guest-agent/pgd.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#include "guest-agent/pgd.lskel.h"
#pragma GCC diagnostic pop

#define BATCH 64
#define PROBE_DISTANCE (UINT64_C(1) << 31)

struct state {
	struct pgd_bpf *skel;	/* owned */
	uint64_t base;		/* start of the direct map */
};

#define NR_TRIES 3

static int iterate(int link_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = link_fd;
	return skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
}

static int add_record(struct pgds *p, const struct state *s,
		      const struct pgd_record *r)
{
	return r->pgd < s->base ? 0 : pgd_add(p, r->pid, r->pgd - s->base);
}

static int bpf_read(struct pgds *p)
{
	const struct state *s = p->state;
	struct pgd_record records[BATCH];
	int fd = iterate(s->skel->links.each_task_fd), rc = 0;
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (!rc && (n = read(fd, (char *)records + have,
				sizeof(records) - have)) > 0) {
		size_t nr = (have + n) / sizeof(records[0]);

		for (size_t i = 0; !rc && i < nr; i++)
			rc = add_record(p, s, &records[i]);
		have = (have + n) % sizeof(records[0]);
		memmove(records, &records[nr], have);
	}
	if (!rc && n < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* --- the start of the direct map of RAM ----------------------------------- */

/* The frame of one of our pages; 0: hidden from us, or not mapped. */
static uint64_t frame_of(const volatile char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)page /
		  PROTOCOL_PAGE_SIZE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((UINT64_C(1) << 55) - 1) : 0;
}

/*
 * Touches the probes' pages and notes their frames.  The pages are so far apart
 * that the tables of the lowest levels are different ones.
 */
static int touch_probes(char *area, struct pgd_probe *probe)
{
	for (int i = 0; i < PGD_NR_PROBES; i++) {
		volatile char *page = area + i * PROBE_DISTANCE;

		if (mprotect((void *)page, PROTOCOL_PAGE_SIZE,
			     PROT_READ | PROT_WRITE))
			return -errno;
		*page = 1;
		probe->address[i] = (uintptr_t)page;
		probe->frame[i] = frame_of(page);
		if (!probe->frame[i])
			return -EPERM;
	}
	return 0;
}

/* Runs find_base: tries PGD_STEP_BASES from probe->first_base on. */
static int run_find_base(struct pgd_bpf *skel, const struct pgd_probe *probe,
			 struct pgd_base *answer)
{
	int fd, rc = 0;
	ssize_t n;

	memcpy(&skel->bss->probe, probe, sizeof(*probe));
	fd = iterate(skel->links.find_base_fd);
	if (fd < 0)
		return -errno;
	n = read(fd, answer, sizeof(*answer));
	if (n != sizeof(*answer))
		rc = n < 0 ? -errno : -ENODATA;
	close(fd);
	return rc;
}

/*
 * Starts at the lowest base that our own table allows.  So until the right one
 * is found, the reads are below the end of RAM in the direct map, where no
 * devices are mapped.
 */
static int search(struct pgd_bpf *skel, uint64_t nr_frames,
		  struct pgd_probe *probe, struct pgd_base *answer)
{
	uint64_t span = nr_frames * PROTOCOL_PAGE_SIZE, pgd, lowest;
	int rc;

	/* No base to try: only reads our own table. */
	probe->first_base = probe->end_base = 0;
	rc = run_find_base(skel, probe, answer);
	if (rc)
		return rc;
	pgd = answer->own.pgd;
	lowest = pgd < PGD_KERNEL_HALF_4_LEVELS ? PGD_KERNEL_HALF_5_LEVELS :
						  PGD_KERNEL_HALF_4_LEVELS;
	if (pgd < lowest)
		return -ENOENT;
	if (pgd - lowest > span)
		lowest = pgd - span;
	probe->first_base = (lowest + PGD_BASE_ALIGN - 1) &
			    ~(PGD_BASE_ALIGN - 1);
	probe->end_base = pgd + 1;
	while (probe->first_base < probe->end_base) {
		rc = run_find_base(skel, probe, answer);
		if (rc || answer->base)
			return rc;
		probe->first_base += PGD_STEP_BASES * PGD_BASE_ALIGN;
	}
	return -ENOENT;
}

static int find_base(struct pgd_bpf *skel, uint64_t nr_frames,
		     struct pgd_base *answer)
{
	size_t len = PGD_NR_PROBES * PROBE_DISTANCE;
	char *area = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_NORESERVE, -1, 0);
	struct pgd_probe probe;
	int rc = -ENOENT;

	if (area == MAP_FAILED)
		return -errno;
	/* The pages must be mapped by the lowest level. */
	madvise(area, len, MADV_NOHUGEPAGE);
	/* The kernel may have migrated a page meanwhile. */
	for (int i = 0; rc == -ENOENT && i < NR_TRIES; i++) {
		rc = touch_probes(area, &probe);
		if (!rc)
			rc = search(skel, nr_frames, &probe, answer);
	}
	munmap(area, len);
	return rc;
}

/* --- setup and use -------------------------------------------------------- */

static void bpf_close(struct pgds *p)
{
	struct state *s = p->state;

	if (!s)
		return;
	pgd_bpf__destroy(s->skel);
	free(s);
	p->state = NULL;
}

static int load(struct pgd_bpf **skelp)
{
	struct pgd_bpf *skel;
	int rc;

	errno = ENOMEM;
	skel = pgd_bpf__open();
	if (!skel)
		return -errno;
	rc = pgd_bpf__load(skel);
	if (!rc)
		rc = pgd_bpf__attach(skel);
	if (rc < 0) {
		pgd_bpf__destroy(skel);
		return rc;
	}
	*skelp = skel;
	return 0;
}

static int find_direct_map(struct pgds *p, struct state *s, char *why,
			   size_t len)
{
	struct pgd_base answer = { 0 };
	int rc = find_base(s->skel, p->nr_frames, &answer);

	if (rc) {
		snprintf(why, len, "cannot determine where the kernel maps "
			 "RAM: %s", strerror(-rc));
		return rc;
	}
	if (answer.own.pid != (unsigned int)getpid()) {
		snprintf(why, len, "the agent has its own PID namespace: run "
			 "it outside of containers");
		return -EXDEV;
	}
	s->base = answer.base;
	p->la57 = pgd_is_la57(s->base);
	return 0;
}

static int bpf_open(struct pgds *p, char *why, size_t len)
{
	struct state *s;
	int rc;

	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, len, "the kernel has no BTF "
			 "(CONFIG_DEBUG_INFO_BTF)");
		return -ENOENT;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, len, "not enough memory");
		return -ENOMEM;
	}
	p->state = s;
	rc = load(&s->skel);
	if (rc)
		snprintf(why, len, "the kernel refuses the agent's BPF "
			 "program: %s", strerror(-rc));
	else
		rc = find_direct_map(p, s, why, len);
	if (rc)
		bpf_close(p);
	return rc;
}

const struct pgd_method pgd_bpf = {
	.name = "bpf",
	.open = bpf_open,
	.read = bpf_read,
	.close = bpf_close,
};
