// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * agent-truth: two processes with memory of each kind, and the kernel's data on
 * what they map, for a guest whose agent's report is checked.
 *
 * The parent maps, writes and forks; the child writes half of the private
 * memory.  Commands are lines on stdin; answers, all in decimal:
 *
 *	truth	"T pid PARENT CHILD", for each of the named regions
 *		"T region NAME START END", for each region of each process
 *		"T vma PID START END", for each run of pages in it
 *		"T pages PID ADDRESS GFN...", and "T end"
 *	child	the child ends: "T child gone"
 *	exit	so does the parent
 */
#include "config.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	   4096
#define NR_PAGES   24
#define LEN	   (NR_PAGES * PAGE)
#define MAX_PAGES  4096
#define A_LINE	   16
#define ZERO_PAGE  (UINT64_C(1) << 24)	/* /proc/kpageflags */
#define PRESENT	   (UINT64_C(1) << 63)	/* /proc/PID/pagemap */
#define PFN	   ((UINT64_C(1) << 55) - 1)

static struct {
	const char *name;
	char *addr;
	int prot;
} regions[] = {
	{ "anon", NULL, PROT_READ | PROT_WRITE },
	{ "shared", NULL, PROT_READ | PROT_WRITE },
	{ "cow", NULL, PROT_READ | PROT_WRITE },
	{ "locked", NULL, PROT_READ | PROT_WRITE },
};
enum { ANON, SHARED, COW, LOCKED, NR_REGIONS };

/* What is printed is read first, so that printing changes nothing. */
static struct vma {
	pid_t pid;
	uint64_t start, end;
} vmas[128];
static struct page {
	unsigned int vma;
	uint64_t addr, gfn;
} pages[MAX_PAGES];
static unsigned int nr_vmas, nr_pages;

static uint64_t read_entry(int fd, uint64_t index)
{
	uint64_t v = 0;

	if (pread(fd, &v, sizeof(v), index * sizeof(v)) != sizeof(v))
		return 0;
	return v;
}

static void read_pages(int pagemap, int flags, const struct vma *vma)
{
	for (uint64_t a = vma->start; a < vma->end; a += PAGE) {
		uint64_t e = read_entry(pagemap, a / PAGE), gfn = e & PFN;

		/* The zero page belongs to no process. */
		if (!(e & PRESENT) || (read_entry(flags, gfn) & ZERO_PAGE))
			continue;
		if (nr_pages == MAX_PAGES)
			errx(1, "more pages than expected");
		pages[nr_pages++] = (struct page){ vma - vmas, a, gfn };
	}
}

static void read_process(pid_t pid)
{
	char path[64], line[512];
	int pagemap, flags;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	pagemap = open(path, O_RDONLY);
	flags = open("/proc/kpageflags", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	if (pagemap < 0 || flags < 0 || !maps)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), maps)) {
		struct vma v = { .pid = pid };

		/* The kernel's own pages in every process are not reported. */
		if (strstr(line, "[v") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &v.start, &v.end) != 2)
			continue;
		if (nr_vmas == sizeof(vmas) / sizeof(vmas[0]))
			errx(1, "more regions than expected");
		vmas[nr_vmas++] = v;
		read_pages(pagemap, flags, &vmas[nr_vmas - 1]);
	}
	fclose(maps);
	close(pagemap);
	close(flags);
}

static void print(FILE *to, pid_t child)
{
	fprintf(to, "T pid %d %d\n", (int)getpid(), (int)child);
	for (int i = 0; i < NR_REGIONS; i++)
		fprintf(to, "T region %s %" PRIuPTR " %" PRIuPTR "\n",
			regions[i].name, (uintptr_t)regions[i].addr,
			(uintptr_t)regions[i].addr + LEN);
	for (unsigned int i = 0; i < nr_vmas; i++)
		fprintf(to, "T vma %d %" PRIu64 " %" PRIu64 "\n",
			(int)vmas[i].pid, vmas[i].start, vmas[i].end);
	for (unsigned int i = 0, in_line = 0; i < nr_pages; i++) {
		bool next = i && in_line < A_LINE &&
			    pages[i].vma == pages[i - 1].vma &&
			    pages[i].addr == pages[i - 1].addr + PAGE;

		if (!next) {
			fprintf(to, "%sT pages %d %" PRIu64, i ? "\n" : "",
				(int)vmas[pages[i].vma].pid, pages[i].addr);
			in_line = 0;
		}
		fprintf(to, " %" PRIu64, pages[i].gfn);
		in_line++;
	}
	fprintf(to, "\nT end\n");
	fflush(to);
}

static void tell_truth(pid_t child, FILE *to, int answers)
{
	int nowhere = dup(fileno(to));

	/* The first rounds touch all that the last one needs. */
	for (int round = 0; round < 3; round++) {
		nr_vmas = nr_pages = 0;
		if (round == 2)
			dup2(answers, fileno(to));
		read_process(getpid());
		if (child)
			read_process(child);
		print(to, child);
	}
	dup2(nowhere, fileno(to));
	close(nowhere);
}

static void lay_out(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ftruncate(fd, LEN))
		err(1, "%s", path);
	for (int i = 0; i < NR_REGIONS; i++) {
		char *p = mmap(NULL, LEN, regions[i].prot,
			       i == SHARED ? MAP_SHARED :
					     MAP_PRIVATE | MAP_ANONYMOUS,
			       i == SHARED ? fd : -1, 0);

		if (p == MAP_FAILED)
			err(1, "mmap %s", regions[i].name);
		regions[i].addr = p;
		/* Else neighbours become one region. */
		if (mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0) == MAP_FAILED)
			err(1, "mmap");
		for (int k = 0; k < NR_PAGES; k++)
			memset(p + k * PAGE, 16 * i + k + 1, PAGE);
	}
	close(fd);
	if (mlock(regions[LOCKED].addr, LEN))
		err(1, "mlock");
}

static void be_child(int ready)
{
	for (int k = 0; k < NR_PAGES; k++)
		regions[SHARED].addr[k * PAGE]++;
	memset(regions[COW].addr, 99, LEN / 2);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	FILE *to = fopen("/dev/null", "w");
	char line[64];
	int fds[2];
	pid_t child;

	if (argc != 2)
		errx(2, "usage: agent-truth FILE");
	if (!to || pipe(fds))
		err(1, "pipe");
	memset(pages, 0, sizeof(pages));
	memset(vmas, 0, sizeof(vmas));
	lay_out(argv[1]);
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child)
		be_child(fds[1]);
	if (read(fds[0], line, 1) != 1)
		errx(1, "the child is not there");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "truth\n")) {
			tell_truth(child, to, STDOUT_FILENO);
		} else if (!strcmp(line, "child\n") && child) {
			kill(child, SIGKILL);
			waitpid(child, NULL, 0);
			child = 0;
			puts("T child gone");
			fflush(stdout);
		} else if (!strcmp(line, "exit\n")) {
			break;
		}
	}
	if (child)
		kill(child, SIGKILL);
	return 0;
}
