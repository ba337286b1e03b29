// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page table roots from the kernel's memory, /proc/kcore, on kernels without
 * BTF.  Where members lie in task_struct and mm_struct differs from kernel to
 * kernel and is not told anywhere.  It is found out on tasks whose values are
 * known, and taken only if it is the only place that fits all of them:
 *
 *   mm->pgd	init_mm has swapper_pg_dir there
 *   tasks	the list that leads from init_task, through tasks, back to it
 *   comm	"swapper" in init_task, our own name in ours
 *   tgid	pid and tgid lie together: 0, 0 in init_task, ours in ours
 *   mm		NULL in init_task and in kernel threads, and in ours a structure
 *		that has at pgd a page-aligned address of the direct map
 *
 * What does not come out like this is not used.
 */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "guest-agent/kernel_symbols.h"
#include "guest-agent/pgd.h"

#define TASK_BYTES  4096	/* of a task_struct that are looked at */
#define MM_BYTES    1024
#define MAX_TASKS   (1u << 20)
#define MAX_SEGMENTS 256
#define NONE	    UINT32_MAX

struct kcore {
	int fd;			/* owned */
	Elf64_Phdr segments[MAX_SEGMENTS];
	unsigned int nr;
	uint64_t init_task, init_mm, direct_map;
	uint32_t tasks, tgid, mm, pgd, comm;	/* offsets */
};

static bool read_at(const struct kcore *k, uint64_t address, void *buf,
		    size_t len)
{
	for (unsigned int i = 0; i < k->nr; i++) {
		const Elf64_Phdr *s = &k->segments[i];

		if (address < s->p_vaddr || address - s->p_vaddr >= s->p_memsz ||
		    s->p_memsz - (address - s->p_vaddr) < len)
			continue;
		return pread(k->fd, buf, len, s->p_offset +
			     (address - s->p_vaddr)) == (ssize_t)len;
	}
	return false;
}

static uint64_t word_at(const struct kcore *k, uint64_t address)
{
	uint64_t word = 0;

	return read_at(k, address, &word, sizeof(word)) ? word : 0;
}

static uint64_t word_in(const uint8_t *bytes, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

static uint32_t half_in(const uint8_t *bytes, uint32_t offset)
{
	uint32_t half;

	memcpy(&half, bytes + offset, sizeof(half));
	return half;
}

/* An address of RAM as the kernel maps it, at the start of a page. */
static bool is_table(const struct kcore *k, uint64_t address, uint64_t frames)
{
	return address >= k->direct_map &&
	       (address - k->direct_map) / PROTOCOL_PAGE_SIZE < frames &&
	       address % PROTOCOL_PAGE_SIZE == 0;
}

static int read_segments(struct kcore *k)
{
	Elf64_Ehdr e;

	if (pread(k->fd, &e, sizeof(e), 0) != sizeof(e) ||
	    memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_phentsize != sizeof(k->segments[0]) || e.e_phnum > MAX_SEGMENTS)
		return -ENOEXEC;
	k->nr = e.e_phnum;
	if (pread(k->fd, k->segments, k->nr * sizeof(k->segments[0]),
		  e.e_phoff) != (ssize_t)(k->nr * sizeof(k->segments[0])))
		return -EIO;
	return 0;
}

/* The only offset in init_mm that has the kernel's own page table. */
static uint32_t find_pgd(const struct kcore *k, uint64_t swapper_pg_dir)
{
	uint32_t found = NONE;
	uint8_t mm[MM_BYTES];

	if (!read_at(k, k->init_mm, mm, sizeof(mm)))
		return NONE;
	for (uint32_t o = 0; o < sizeof(mm); o += 8)
		if (word_in(mm, o) == swapper_pg_dir) {
			if (found != NONE)
				return NONE;
			found = o;
		}
	return found;
}

static uint32_t find_comm(const struct kcore *k, const uint8_t *task)
{
	for (uint32_t o = 0; o + 16 <= TASK_BYTES; o++)
		if (!memcmp(task + o, "swapper", 7))
			return o;
	return NONE;
}

#define MAX_NAMESAKES 8

struct tasks {
	uint8_t init[TASK_BYTES], kthreadd[TASK_BYTES];
	uint8_t own[MAX_NAMESAKES][TASK_BYTES];	/* with our name */
	unsigned int nr_own, nr_kthreadd;
};

static bool has_name(const struct kcore *k, const uint8_t *task,
		     const char *name)
{
	return !strncmp((const char *)task + k->comm, name, 15);
}

/*
 * Whether a list through `offset` leads from init_task through tasks, and back
 * to it; among them is process 2, and at least one with our name.
 */
static bool follow(const struct kcore *k, uint32_t offset, const char *name,
		   struct tasks *t)
{
	uint64_t head = k->init_task + offset, at = word_in(t->init, offset);
	uint8_t bytes[TASK_BYTES];

	t->nr_own = t->nr_kthreadd = 0;
	for (unsigned int n = 0; at != head && n < MAX_TASKS; n++) {
		if (at < k->direct_map ||
		    !read_at(k, at - offset, bytes, sizeof(bytes)) ||
		    !bytes[k->comm] ||
		    word_at(k, word_in(bytes, offset) + 8) != at)
			return false;
		if (has_name(k, bytes, "kthreadd")) {
			memcpy(t->kthreadd, bytes, sizeof(bytes));
			t->nr_kthreadd++;
		}
		if (has_name(k, bytes, name) && t->nr_own < MAX_NAMESAKES)
			memcpy(t->own[t->nr_own++], bytes, sizeof(bytes));
		at = word_in(bytes, offset);
	}
	return at == head && t->nr_kthreadd == 1 && t->nr_own;
}

static bool are_ids(const uint8_t *task, uint32_t offset, uint32_t id)
{
	return half_in(task, offset) == id && half_in(task, offset + 4) == id;
}

/* pid and tgid: 0, 2 and ours.  *own: which of our namesakes we are. */
static uint32_t find_tgid(const struct tasks *t, uint32_t pid,
			  const uint8_t **own)
{
	uint32_t found = NONE;

	for (uint32_t o = 0; o + 8 <= TASK_BYTES; o += 4) {
		if (!are_ids(t->init, o, 0) || !are_ids(t->kthreadd, o, 2))
			continue;
		for (unsigned int i = 0; i < t->nr_own; i++) {
			if (!are_ids(t->own[i], o, pid))
				continue;
			if (found != NONE)
				return NONE;
			found = o + 4;
			*own = t->own[i];
		}
	}
	return found;
}

/*
 * NULL in init_task and in kthreadd, and in ours a structure that has a table
 * at pgd.  active_mm follows it and is the same in a process; elsewhere it may
 * be NULL as well.
 */
static uint32_t find_mm(const struct kcore *k, const struct tasks *t,
			const uint8_t *own, uint64_t frames)
{
	uint32_t found = NONE;

	for (uint32_t o = 0; o + 8 <= TASK_BYTES; o += 8) {
		uint64_t mm = word_in(own, o);

		if (mm < k->direct_map || word_in(t->init, o) ||
		    word_in(t->kthreadd, o) ||
		    !is_table(k, word_at(k, mm + k->pgd), frames))
			continue;
		if (found == NONE)
			found = o;
		else if (o != found + 8 || word_in(own, found) != mm)
			return NONE;
	}
	return found;
}

static void read_own_name(char *name, size_t len)
{
	FILE *f = fopen("/proc/self/comm", "re");

	if (!f || !fgets(name, len, f))
		name[0] = 0;
	if (f)
		fclose(f);
	name[strcspn(name, "\n")] = 0;
}

static bool find_list(struct kcore *k, const char *name, struct tasks *t)
{
	for (uint32_t o = 0; o + 16 <= TASK_BYTES; o += 8) {
		/* A list that is not empty, and whose first one names us. */
		if (word_in(t->init, o) < k->direct_map ||
		    word_in(t->init, o) == k->init_task + o ||
		    word_at(k, word_in(t->init, o) + 8) != k->init_task + o)
			continue;
		k->tasks = o;
		if (follow(k, o, name, t))
			return true;
	}
	return false;
}

/* NULL, or what could not be found. */
static const char *find_layout(struct kcore *k, uint64_t swapper,
			       uint64_t frames, struct tasks *t)
{
	const uint8_t *own = NULL;
	char name[17] = "";

	read_own_name(name, sizeof(name));
	k->pgd = find_pgd(k, swapper);
	if (k->pgd == NONE)
		return "mm->pgd";
	if (!read_at(k, k->init_task, t->init, sizeof(t->init)))
		return "init_task";
	k->comm = find_comm(k, t->init);
	if (k->comm == NONE || !name[0])
		return "comm";
	if (!find_list(k, name, t))
		return "the list of tasks";
	k->tgid = find_tgid(t, getpid(), &own);
	if (k->tgid == NONE)
		return "tgid";
	k->mm = find_mm(k, t, own, frames);
	return k->mm == NONE ? "task->mm" : NULL;
}

static int kcore_read(struct pgds *p)
{
	const struct kcore *k = p->state;
	uint64_t head = k->init_task + k->tasks, at = word_at(k, head);

	for (unsigned int n = 0; at != head && n < MAX_TASKS; n++) {
		uint64_t task = at - k->tasks, mm, pgd;
		uint32_t tgid = 0;
		int rc;

		/* A task that ended under us breaks the walk: next time. */
		if (!at || !read_at(k, task + k->tgid, &tgid, sizeof(tgid)))
			return -EAGAIN;
		mm = word_at(k, task + k->mm);
		pgd = mm ? word_at(k, mm + k->pgd) : 0;
		rc = pgd >= k->direct_map ? pgd_add(p, tgid,
						    pgd - k->direct_map) : 0;
		if (rc)
			return rc;
		at = word_at(k, at);
	}
	return 0;
}

static void kcore_close(struct pgds *p)
{
	struct kcore *k = p->state;

	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	free(k);
	p->state = NULL;
}

static int open_kcore(struct kcore *k, uint64_t frames, char *why, size_t len)
{
	struct kernel_symbol symbols[] = {
		{ "page_offset_base", 0 }, { "init_task", 0 },
		{ "init_mm", 0 }, { "swapper_pg_dir", 0 },
		{ "init_top_pgt", 0 },
	};
	const char *missing;
	struct tasks *tasks;
	uint64_t swapper;
	int rc = kernel_symbols(symbols, 5);

	if (rc || !symbols[0].address || !symbols[1].address ||
	    !symbols[2].address) {
		snprintf(why, len, "/proc/kallsyms tells no addresses");
		return rc ? rc : -EPERM;
	}
	k->fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	rc = k->fd < 0 ? -errno : read_segments(k);
	if (rc) {
		snprintf(why, len, "/proc/kcore: %s", strerror(-rc));
		return rc;
	}
	k->init_task = symbols[1].address;
	k->init_mm = symbols[2].address;
	k->direct_map = word_at(k, symbols[0].address);
	/* On x86-64 the first is a macro for the second. */
	swapper = symbols[3].address ? symbols[3].address : symbols[4].address;
	tasks = calloc(1, sizeof(*tasks));
	missing = !k->direct_map ? "page_offset_base" : !tasks ? "memory" :
		find_layout(k, swapper, frames, tasks);
	free(tasks);
	if (!missing)
		return 0;
	snprintf(why, len, "where this kernel has %s can't be made sure of",
		 missing);
	return -ENOENT;
}

static int kcore_open(struct pgds *p, char *why, size_t len)
{
	struct kcore *k = calloc(1, sizeof(*k));
	int rc = -ENOMEM;

	if (k) {
		k->fd = -1;
		p->state = k;
		rc = open_kcore(k, p->nr_frames, why, len);
	}
	if (rc) {
		kcore_close(p);
		return rc;
	}
	p->la57 = pgd_is_la57(k->direct_map);
	return 0;
}

const struct pgd_way pgd_kcore = {
	.name = "kcore",
	.open = kcore_open,
	.read = kcore_read,
	.close = kcore_close,
};
