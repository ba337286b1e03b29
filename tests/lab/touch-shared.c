// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * touch-shared: two processes that map one page of a file, and touch it when
 * told to, for a test of who has used a page.
 *
 * Commands are lines on stdin:
 *
 *	where	"T page PARENT CHILD GFN ADDRESS"
 *	none, parent, child, both	who touches; "T done"
 *
 * Before each touch both processes change the page's protection and change it
 * back.  That does not touch it, but it makes the kernel flush the page's entry
 * from the TLB: a processor sets the accessed bit when it loads an entry, so a
 * touch through an entry that it still has would leave no trace.
 */
#include "config.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#define PAGE 4096

static volatile char *page;

static void touch(char how)
{
	if (mprotect((void *)page, PAGE, PROT_NONE) ||
	    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE))
		err(1, "mprotect");
	if (how == 't')
		(void)*page;
}

/* A letter a turn: 't' touch, 'n' do not. */
static void child_loop(int in, int out)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(in, &c, 1) == 1) {
		touch(c);
		if (write(out, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static uint64_t frame(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e = 0;

	if (fd < 0 || pread(fd, &e, sizeof(e), (uintptr_t)page / PAGE *
			    sizeof(e)) != sizeof(e))
		err(1, "pagemap");
	close(fd);
	return e & ((UINT64_C(1) << 55) - 1);
}

int main(int argc, char **argv)
{
	int to[2], from[2], fd;
	char line[64], c;
	pid_t child;

	if (argc != 2)
		errx(2, "usage: touch-shared FILE");
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, PAGE))
		err(1, "%s", argv[1]);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED || pipe(to) || pipe(from))
		err(1, "page");
	*page = 1;
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child) {
		*page = 2;		/* so that it is mapped */
		child_loop(to[0], from[1]);
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "where")) {
			printf("T page %d %d %" PRIu64 " %" PRIuPTR "\n",
			       (int)getpid(), (int)child, frame(),
			       (uintptr_t)page);
		} else {
			c = !strcmp(line, "child") || !strcmp(line, "both") ?
				't' : 'n';
			if (write(to[1], &c, 1) != 1 ||
			    read(from[0], &c, 1) != 1)
				err(1, "child");
			touch(!strcmp(line, "parent") || !strcmp(line, "both") ?
			      't' : 'n');
			printf("T done\n");
		}
		fflush(stdout);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
