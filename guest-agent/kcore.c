// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/kcore.h"
#include "guest-agent/protocol.h"

#define MAX_TASKS (1u << 20)
#define NONE	  UINT32_MAX

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

uint64_t kcore_word(const struct kcore *k, uint64_t address)
{
	uint64_t word = 0;

	return read_at(k, address, &word, sizeof(word)) ? word : 0;
}

static uint64_t u64_at(const uint8_t *bytes, uint32_t offset)
{
	uint64_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

static uint32_t u32_at(const uint8_t *bytes, uint32_t offset)
{
	uint32_t half;

	memcpy(&half, bytes + offset, sizeof(half));
	return half;
}

/* A page-aligned address in the kernel's direct map of RAM. */
static bool is_table(const struct kcore *k, uint64_t address, uint64_t frames)
{
	return address >= k->direct_map &&
	       (address - k->direct_map) / PROTOCOL_PAGE_SIZE < frames &&
	       address % PROTOCOL_PAGE_SIZE == 0;
}

int kcore_read_segments(struct kcore *k)
{
	Elf64_Ehdr e;

	if (pread(k->fd, &e, sizeof(e), 0) != sizeof(e) ||
	    memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_phentsize != sizeof(k->segments[0]) || e.e_phnum > KCORE_MAX_SEGMENTS)
		return -ENOEXEC;
	k->nr = e.e_phnum;
	if (pread(k->fd, k->segments, k->nr * sizeof(k->segments[0]),
		  e.e_phoff) != (ssize_t)(k->nr * sizeof(k->segments[0])))
		return -EIO;
	return 0;
}

/* The only offset in init_mm that holds the kernel's own page table. */
static uint32_t find_pgd(const struct kcore *k, uint64_t swapper_pg_dir)
{
	uint32_t found = NONE;
	uint8_t mm[KCORE_MM_BYTES];

	if (!read_at(k, k->init_mm, mm, sizeof(mm)))
		return NONE;
	for (uint32_t o = 0; o < sizeof(mm); o += 8)
		if (u64_at(mm, o) == swapper_pg_dir) {
			if (found != NONE)
				return NONE;
			found = o;
		}
	return found;
}

static uint32_t find_comm(const uint8_t *task)
{
	for (uint32_t o = 0; o + 16 <= KCORE_TASK_BYTES; o++)
		if (!memcmp(task + o, "swapper", 7))
			return o;
	return NONE;
}

#define MAX_NAMESAKES 8

struct tasks {
	uint8_t init[KCORE_TASK_BYTES], kthreadd[KCORE_TASK_BYTES];
	/* Tasks with our name: one of them is ours. */
	uint8_t own[MAX_NAMESAKES][KCORE_TASK_BYTES];
	unsigned int nr_own, nr_kthreadd;
};

static bool has_name(const struct kcore *k, const uint8_t *task,
		     const char *name)
{
	return !strncmp((const char *)task + k->comm, name, 15);
}

/*
 * Whether the list at `offset` leads from init_task through tasks and back to
 * it.  Among the tasks must be one "kthreadd" and at least one with our name.
 */
static bool walk_tasks(const struct kcore *k, uint32_t offset, const char *name,
		   struct tasks *t)
{
	uint64_t head = k->init_task + offset, at = u64_at(t->init, offset);
	uint8_t bytes[KCORE_TASK_BYTES];

	t->nr_own = t->nr_kthreadd = 0;
	for (unsigned int n = 0; at != head && n < MAX_TASKS; n++) {
		if (at < k->direct_map ||
		    !read_at(k, at - offset, bytes, sizeof(bytes)) ||
		    !bytes[k->comm] ||
		    kcore_word(k, u64_at(bytes, offset) + 8) != at)
			return false;
		if (has_name(k, bytes, "kthreadd")) {
			memcpy(t->kthreadd, bytes, sizeof(bytes));
			t->nr_kthreadd++;
		}
		if (has_name(k, bytes, name) && t->nr_own < MAX_NAMESAKES)
			memcpy(t->own[t->nr_own++], bytes, sizeof(bytes));
		at = u64_at(bytes, offset);
	}
	return at == head && t->nr_kthreadd == 1 && t->nr_own;
}

static bool are_ids(const uint8_t *task, uint32_t offset, uint32_t id)
{
	return u32_at(task, offset) == id && u32_at(task, offset + 4) == id;
}

/* See kcore.h.  Sets *own to our task, of those with our name. */
static uint32_t find_tgid(const struct tasks *t, uint32_t pid,
			  const uint8_t **own)
{
	uint32_t found = NONE;

	for (uint32_t o = 0; o + 8 <= KCORE_TASK_BYTES; o += 4) {
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
 * See kcore.h.  active_mm follows mm and is equal to it in a process; in kernel
 * threads it may be NULL too.
 */
static uint32_t find_mm(const struct kcore *k, const struct tasks *t,
			const uint8_t *own, uint64_t frames)
{
	uint32_t found = NONE;

	for (uint32_t o = 0; o + 8 <= KCORE_TASK_BYTES; o += 8) {
		uint64_t mm = u64_at(own, o);

		if (mm < k->direct_map || u64_at(t->init, o) ||
		    u64_at(t->kthreadd, o) ||
		    !is_table(k, kcore_word(k, mm + k->pgd), frames))
			continue;
		if (found == NONE)
			found = o;
		else if (o != found + 8 || u64_at(own, found) != mm)
			return NONE;
	}
	return found;
}

static bool find_list(struct kcore *k, const char *name, struct tasks *t)
{
	for (uint32_t o = 0; o + 16 <= KCORE_TASK_BYTES; o += 8) {
		/* A list that is not empty, whose first entry points back. */
		if (u64_at(t->init, o) < k->direct_map ||
		    u64_at(t->init, o) == k->init_task + o ||
		    kcore_word(k, u64_at(t->init, o) + 8) != k->init_task + o)
			continue;
		k->tasks = o;
		if (walk_tasks(k, o, name, t))
			return true;
	}
	return false;
}

static const char *find_in(struct kcore *k, const struct kcore_known *known,
			   struct tasks *t)
{
	const uint8_t *own = NULL;

	k->pgd = find_pgd(k, known->swapper_pg_dir);
	if (k->pgd == NONE)
		return "mm->pgd";
	if (!read_at(k, k->init_task, t->init, sizeof(t->init)))
		return "init_task";
	k->comm = find_comm(t->init);
	if (k->comm == NONE || !known->name[0])
		return "comm";
	if (!find_list(k, known->name, t))
		return "the list of tasks";
	k->tgid = find_tgid(t, known->pid, &own);
	if (k->tgid == NONE)
		return "tgid";
	k->mm = find_mm(k, t, own, known->nr_frames);
	return k->mm == NONE ? "task->mm" : NULL;
}

const char *kcore_find_layout(struct kcore *k, const struct kcore_known *known)
{
	struct tasks *t = calloc(1, sizeof(*t));
	const char *missing = t ? find_in(k, known, t) : "memory";

	free(t);
	return missing;
}

int kcore_each(const struct kcore *k,
	       int (*fn)(void *arg, pid_t pid, uint64_t pgd), void *arg)
{
	uint64_t head = k->init_task + k->tasks, at = kcore_word(k, head);
	unsigned int n;

	for (n = 0; at != head && n < MAX_TASKS; n++) {
		uint64_t task = at - k->tasks, mm, pgd;
		uint32_t tgid = 0;
		int rc;

		if (!at || !read_at(k, task + k->tgid, &tgid, sizeof(tgid)))
			return -EAGAIN;
		mm = kcore_word(k, task + k->mm);
		pgd = mm ? kcore_word(k, mm + k->pgd) : 0;
		rc = pgd ? fn(arg, tgid, pgd) : 0;
		if (rc)
			return rc;
		at = kcore_word(k, at);
	}
	return at == head ? 0 : -EAGAIN;
}
