// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Derives the layout of tasks from made-up kernel images:
 *
 *   init_task <-> kthreadd <-> other <-> own <-> (init_task)
 *
 * each with its members at random-looking offsets.  An ambiguous layout must be
 * refused, since with a wrong offset a wrong address is taken for a page table.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest-agent/kcore.h"
#include "guest-agent/protocol.h"
#include "tests/tap.h"

#define PAGE	   PROTOCOL_PAGE_SIZE
#define IMAGE	   UINT64_C(0xffffffff81000000)	/* of the kernel */
#define RAM	   UINT64_C(0xffff9a1240000000)
#define SWAPPER	   (IMAGE + 0x7000)
#define NR_FRAMES  64
#define NR_IMAGE   8
#define OWN_PID	   4711

struct layout {
	const char *name;
	uint32_t tasks, mm, tgid, comm, pgd;
};

static const struct layout layouts[] = {
	{ "as in Linux 6.1", 0x8b8, 0x908, 0x9d4, 0xb90, 0x48 },
	{ "small offsets", 0x10, 0x28, 0x44, 0x60, 0x8 },
	{ "the other way round", 0xc00, 0x40, 0x804, 0x20, 0x380 },
	{ "at the ends", 0xff0, 0xfe0, 0xfdc, 0x0, 0x3f8 },
};

enum { INIT, KTHREADD, OTHER, OWN, NR_TASKS };

static const char *const names[] = { "swapper/0", "kthreadd", "cat", "agent" };
static const uint32_t pids[] = { 0, 2, 3000, OWN_PID };

struct world {
	const struct layout *l;
	uint8_t image[NR_IMAGE * PAGE], ram[NR_FRAMES * PAGE];
	struct kcore k;
	struct kcore_known known;
};

static uint64_t task_address(int i)
{
	return i == INIT ? IMAGE : RAM + (4 + 2 * i) * PAGE;
}

static uint64_t mm_address(int i)
{
	return RAM + (20 + 2 * i) * PAGE;
}

static uint64_t pgd_address(int i)
{
	return RAM + (40 + i) * PAGE;
}

static uint8_t *at(struct world *w, uint64_t address)
{
	return address >= IMAGE ? w->image + (address - IMAGE) :
				  w->ram + (address - RAM);
}

static void put(struct world *w, uint64_t address, uint64_t value)
{
	memcpy(at(w, address), &value, sizeof(value));
}

static void put_ids(struct world *w, uint64_t address, uint32_t pid)
{
	uint32_t ids[] = { pid, pid };

	memcpy(at(w, address), ids, sizeof(ids));
}

static void put_tasks(struct world *w)
{
	const struct layout *l = w->l;

	for (int i = 0; i < NR_TASKS; i++) {
		uint64_t task = task_address(i);
		uint64_t next = task_address((i + 1) % NR_TASKS);
		uint64_t prev = task_address((i + NR_TASKS - 1) % NR_TASKS);

		put(w, task + l->tasks, next + l->tasks);
		put(w, task + l->tasks + 8, prev + l->tasks);
		put_ids(w, task + l->tgid - 4, pids[i]);
		strcpy((char *)at(w, task + l->comm), names[i]);
		put(w, task + l->mm, i < OTHER ? 0 : mm_address(i));
		if (i < OTHER)
			continue;
		put(w, mm_address(i) + l->pgd, pgd_address(i));
	}
}

/* So that zero is not all that there is in other places. */
static void put_noise(struct world *w)
{
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i + 8 <= sizeof(w->ram); i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(w->ram + i, &x, sizeof(x));
	}
	for (size_t i = 0; i + 8 <= sizeof(w->image); i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(w->image + i, &x, sizeof(x));
	}
}

static void make_world(struct world *w, const struct layout *l)
{
	memset(w, 0, sizeof(*w));
	w->l = l;
	w->k.fd = -1;
	put_noise(w);
	put_tasks(w);
	w->k.init_task = IMAGE;
	w->k.init_mm = IMAGE + 4 * PAGE;
	w->k.direct_map = RAM;
	put(w, w->k.init_mm + l->pgd, SWAPPER);
	w->known = (struct kcore_known){ SWAPPER, NR_FRAMES, OWN_PID, "agent" };
}

/* An ELF file like /proc/kcore.  Negative: no room for it. */
static int write_image(struct world *w)
{
	Elf64_Ehdr e = { .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
			 .e_phoff = sizeof(e) };
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD, .p_vaddr = IMAGE, .p_offset = PAGE,
		  .p_memsz = sizeof(w->image) },
		{ .p_type = PT_LOAD, .p_vaddr = RAM,
		  .p_offset = PAGE + sizeof(w->image),
		  .p_memsz = sizeof(w->ram) },
	};

	memcpy(e.e_ident, ELFMAG, SELFMAG);
	if (w->k.fd < 0)
		w->k.fd = memfd_create("kcore", MFD_CLOEXEC);
	return pwrite(w->k.fd, &e, sizeof(e), 0) < 0 ||
	       pwrite(w->k.fd, p, sizeof(p), sizeof(e)) < 0 ||
	       pwrite(w->k.fd, w->image, sizeof(w->image), PAGE) < 0 ||
	       pwrite(w->k.fd, w->ram, sizeof(w->ram), p[1].p_offset) < 0 ?
	       -1 : 0;
}

static const char *find(struct world *w)
{
	if (write_image(w))
		tap_bail("no memory file: %s", strerror(errno));
	if (kcore_read_segments(&w->k))
		return "segments";
	return kcore_find_layout(&w->k, &w->known);
}

struct told {
	unsigned int nr, nr_right;
	bool stop;
};

static int on_process(void *arg, pid_t pid, uint64_t pgd)
{
	struct told *t = arg;

	t->nr++;
	for (int i = OTHER; i < NR_TASKS; i++)
		t->nr_right += pid == (pid_t)pids[i] && pgd == pgd_address(i);
	return t->stop ? -ENOMEM : 0;
}

static void test_layout(struct world *w, const struct layout *l)
{
	struct told told = { 0 };
	const char *missing;

	make_world(w, l);
	missing = find(w);
	if (!ok(!missing, "%s: found", l->name))
		printf("# %s\n", missing);
	ok(w->k.tasks == l->tasks && w->k.mm == l->mm && w->k.tgid == l->tgid &&
	   w->k.comm == l->comm && w->k.pgd == l->pgd, "and each offset right");
	is_int(kcore_each(&w->k, on_process, &told), 0, "walked");
	ok(told.nr == 2 && told.nr_right == 2,
	   "both processes, and no kernel thread");
	close(w->k.fd);
}

static void two_roots(struct world *w)
{
	put(w, w->k.init_mm + 0x200, SWAPPER);
}

static void no_swapper(struct world *w)
{
	memset(at(w, IMAGE + w->l->comm), 'x', 16);
}

static void one_way(struct world *w)
{
	put(w, task_address(OTHER) + w->l->tasks + 8,
	    task_address(OWN) + w->l->tasks);
}

/* It leads round without coming back to init_task. */
static void ring(struct world *w)
{
	put(w, task_address(OWN) + w->l->tasks,
	    task_address(KTHREADD) + w->l->tasks);
}

static void two_kthreadd(struct world *w)
{
	strcpy((char *)at(w, task_address(OTHER) + w->l->comm), "kthreadd");
}

static void not_there(struct world *w)
{
	strcpy(w->known.name, "else");
}

static void two_pairs(struct world *w)
{
	for (int i = 0; i < NR_TASKS; i++)
		put_ids(w, task_address(i) + 0x700, pids[i]);
}

static void other_pid(struct world *w)
{
	w->known.pid++;
}

static void kthread_has_mm(struct world *w)
{
	put(w, task_address(KTHREADD) + w->l->mm, mm_address(OTHER));
}

static void not_aligned(struct world *w)
{
	put(w, mm_address(OWN) + w->l->pgd, pgd_address(OWN) + 8);
}

static void not_ram(struct world *w)
{
	put(w, mm_address(OWN) + w->l->pgd, RAM + NR_FRAMES * PAGE);
}

static void two_mms(struct world *w)
{
	put(w, task_address(INIT) + 0x300, 0);
	put(w, task_address(KTHREADD) + 0x300, 0);
	put(w, task_address(OWN) + 0x300, mm_address(OTHER));
}

static void next_is_active_mm(struct world *w)
{
	put(w, task_address(INIT) + w->l->mm + 8, 0);
	put(w, task_address(KTHREADD) + w->l->mm + 8, 0);
	put(w, task_address(OWN) + w->l->mm + 8, mm_address(OWN));
}

static void test_doubts(struct world *w)
{
	static const struct {
		const char *what;
		void (*change)(struct world *w);
		const char *missing;
	} rows[] = {
		{ "two places with the kernel's root", two_roots, "mm->pgd" },
		{ "no task is called swapper", no_swapper, "comm" },
		{ "a task that denies the one before", one_way,
		  "the list of tasks" },
		{ "a ring without init_task", ring, "the list of tasks" },
		{ "two are called kthreadd", two_kthreadd,
		  "the list of tasks" },
		{ "we are not in the list", not_there, "the list of tasks" },
		{ "two places with the ids", two_pairs, "tgid" },
		{ "our id is another", other_pid, "tgid" },
		{ "a kernel thread with memory", kthread_has_mm, "task->mm" },
		{ "our root is not aligned", not_aligned, "task->mm" },
		{ "our root is not in RAM", not_ram, "task->mm" },
		{ "two places like mm", two_mms, "task->mm" },
		{ "active_mm is no doubt", next_is_active_mm, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *missing;

		make_world(w, &layouts[0]);
		rows[i].change(w);
		missing = find(w);
		if (!ok(missing == rows[i].missing ||
			(missing && rows[i].missing &&
			 !strcmp(missing, rows[i].missing)), "%s: %s",
			rows[i].what, rows[i].missing ? "refused" : "found"))
			printf("# got %s\n", missing ? missing : "a layout");
		close(w->k.fd);
	}
}

/* Tasks that end, and memory that is freed, between the layout and the walk. */
static void test_torn(struct world *w)
{
	struct told told = { .stop = true };

	make_world(w, &layouts[0]);
	if (find(w))
		tap_bail("the layout is not found");
	is_int(kcore_each(&w->k, on_process, &told), -ENOMEM,
	       "who is told may stop it");
	is_int(told.nr, 1, "at once");
	told.stop = false;
	put(w, task_address(OTHER) + w->l->tasks, 0);
	write_image(w);
	is_int(kcore_each(&w->k, on_process, &told), -EAGAIN, "an end: anew");
	put(w, task_address(OTHER) + w->l->tasks, UINT64_C(0x1234));
	write_image(w);
	is_int(kcore_each(&w->k, on_process, &told), -EAGAIN,
	       "an address of nothing: anew");
	put(w, task_address(OTHER) + w->l->tasks,
	    task_address(OTHER) + w->l->tasks);
	write_image(w);
	is_int(kcore_each(&w->k, on_process, &told), -EAGAIN,
	       "a task that follows itself: it ends, and anew");
	close(w->k.fd);
}

static void test_files(struct world *w)
{
	uint64_t last = RAM + sizeof(w->ram) - 8, word = 1;
	Elf64_Ehdr e;

	make_world(w, &layouts[0]);
	put(w, last, 0x1122334455667788);
	if (find(w))
		tap_bail("the layout is not found");
	ok(kcore_word(&w->k, last) == 0x1122334455667788, "the last word");
	is_int(kcore_word(&w->k, last + 1), 0, "beyond a segment: nothing");
	is_int(kcore_word(&w->k, UINT64_MAX - 3), 0, "beyond all: nothing");
	if (pread(w->k.fd, &e, sizeof(e), 0) != sizeof(e))
		tap_bail("no header");
	e.e_phnum = KCORE_MAX_SEGMENTS + 1;
	ok(pwrite(w->k.fd, &e, sizeof(e), 0) == sizeof(e) &&
	   kcore_read_segments(&w->k) == -ENOEXEC, "too many segments: refused");
	ok(pwrite(w->k.fd, &word, sizeof(word), 0) == sizeof(word) &&
	   kcore_read_segments(&w->k) == -ENOEXEC, "no ELF: refused");
	ok(!ftruncate(w->k.fd, 3) && kcore_read_segments(&w->k) == -ENOEXEC,
	   "three bytes: refused");
	close(w->k.fd);
}

int main(void)
{
	static struct world w;

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		test_layout(&w, &layouts[i]);
	test_doubts(&w);
	test_torn(&w);
	test_files(&w);
	return tap_done();
}
