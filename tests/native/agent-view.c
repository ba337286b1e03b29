// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The real agent reads this machine; the resulting view must equal our own
 * reading of pagemap, for a process whose memory we lay out and change.
 */
#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/guest/agent-server.h"
#include "vmm/util/clock.h"

#define PAGES 64
#define LEN   (PAGES * 4096)

static struct view *view;
static char *anon, *file, *cow;

static bool wait_epochs(uint64_t nr)
{
	struct view_stats s;
	int left = 30000;

	view_get_stats(view, &s);
	for (uint64_t want = s.epoch + nr; s.epoch < want;) {
		if (!left--)
			return false;
		poll(NULL, 0, 20);
		view_get_stats(view, &s);
	}
	return true;
}

static uint64_t pfn(pid_t pid, const char *addr)
{
	char path[64];
	uint64_t e = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &e, 8, (uintptr_t)addr / 4096 * 8) != 8)
		e = 0;
	if (fd >= 0)
		close(fd);
	return e >> 63 ? e & ((UINT64_C(1) << 55) - 1) : 0;
}

/* Pages of [addr, addr + LEN) that the view has otherwise than pagemap. */
static int differences(pid_t pid, const char *addr, int *nr_mapped)
{
	int bad = 0;

	view_rdlock(view);
	*nr_mapped = 0;
	for (int i = 0; i < PAGES; i++) {
		uint64_t at = (uintptr_t)addr + i * 4096, a = at, gfn = 0;
		uint64_t want = pfn(pid, addr + i * 4096);
		struct rmap_mm *mm = rmap_mm_find(view_map(view), pid);
		struct rmap_vma *vma = mm ? rmap_vma_find(mm, at) : NULL;

		if (!vma || !rmap_vma_next_page(view_map(view), vma, &a, &gfn) ||
		    a != at)
			gfn = 0;
		bad += gfn != want;
		*nr_mapped += want != 0;
	}
	view_unlock(view);
	return bad;
}

static int mapcount(uint64_t gfn)
{
	struct rmap_page_info info = { .mapcount = -2 };

	view_rdlock(view);
	rmap_page_info(view_map(view), gfn, &info);
	view_unlock(view);
	return info.mapcount + 1;
}

/* Under the view's lock. */
static bool is_region_locked(pid_t pid, const char *addr)
{
	struct rmap_mm *mm = rmap_mm_find(view_map(view), pid);
	struct rmap_vma *vma = mm ? rmap_vma_find(mm, (uintptr_t)addr) : NULL;
	struct rmap_vma_desc desc = { .flags = 0 };

	if (vma)
		rmap_vma_describe(vma, &desc);
	return desc.flags & RMAP_VM_LOCKED;
}

static void check(pid_t pid, const char *addr, int mapped, const char *name)
{
	int nr, bad = differences(pid, addr, &nr);

	if (!ok(!bad && nr == mapped, "%s", name))
		printf("# %d pages differ, %d mapped, want %d\n", bad, nr,
		       mapped);
}

/* The child does one step a byte and answers with one. */
static void child(int fd)
{
	static gid_t groups[2000];
	char c;

	/* Its /proc/PID/status is long. */
	for (int i = 0; i < 2000; i++)
		groups[i] = 100000 + i;
	if (setgroups(2000, groups))
		_exit(1);
	memset(cow, 2, LEN / 2);
	/* Not by mlock(): sanitizers make that one do nothing. */
	if (syscall(SYS_mlock, anon, 4096ul))
		_exit(1);
	for (volatile int i = 0; i < PAGES; i++)
		(void)((volatile char *)cow)[i * 4096],
		(void)((volatile char *)anon)[i * 4096];
	while (write(fd, "k", 1) == 1 && read(fd, &c, 1) == 1) {
		if (c == 'u')
			munmap(anon + LEN / 2, LEN / 2);
		if (c == 'm')
			mremap(cow, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
			       file + 2 * LEN);
	}
	_exit(0);
}

static void step(int fd, const char *what)
{
	char c;

	if (write(fd, what, 1) != 1 || read(fd, &c, 1) != 1)
		tap_bail("the child is gone");
}

static pid_t start_agent(struct agent_server *as)
{
	int sv[2];
	pid_t pid;
	char fd[16], path[4096];

	snprintf(path, sizeof(path), "%s/guest-agent/vmm-guest-agent",
		 getenv("abs_top_builddir") ? getenv("abs_top_builddir") : ".");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		tap_bail("no socketpair");
	pid = fork();
	if (!pid) {
		int mine = dup(sv[1]);

		snprintf(fd, sizeof(fd), "%d", mine);
		execl(path, path, "--fd", fd, "--interval", "200", NULL);
		_exit(127);
	}
	close(sv[1]);
	agent_server_accept(sv[0], as);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint64_t machine_bytes(void)
{
	uint64_t n, max = 0, spanned = 0;
	char line[256];
	FILE *f = fopen("/proc/zoneinfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " spanned %lu", &spanned) == 1)
			continue;
		if (sscanf(line, " start_pfn: %lu", &n) == 1 && spanned &&
		    n + spanned > max)
			max = n + spanned;
	}
	if (f)
		fclose(f);
	return max * 4096;
}

int main(void)
{
	char name[] = "/tmp/agent-view.XXXXXX", c;
	struct agent_server *as;
	struct guest_mem *mem;
	struct view_stats st;
	uint64_t now;
	pid_t pid, agent;
	int fd, sv[2];

	if (geteuid() || access("/proc/kpageflags", R_OK))
		tap_skip_all("needs root to see frame numbers");
	if (guest_mem_new(&mem, machine_bytes(), GUEST_MEM_ANON) ||
	    view_new(&view, mem) || agent_server_new(&as, view))
		tap_fail_all("no address space for a view of this machine");
	ok(agent_server_drop_cache(as, 1) != 0, "no agent, no request");
	fd = mkstemp(name);
	unlink(name);
	if (fd < 0 || ftruncate(fd, LEN))
		tap_bail("no file");
	anon = mmap(NULL, LEN, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cow = mmap(NULL, LEN, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = mmap(NULL, 4 * LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (mmap(file, LEN, 3, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		tap_bail("no memory");
	memset(anon, 1, LEN);
	memset(cow, 1, LEN);
	memset(file, 1, LEN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		tap_bail("no socketpair");
	pid = fork();
	if (!pid) {
		memset(file, 3, LEN);
		child(sv[1]);
	}
	if (read(sv[0], &c, 1) != 1)
		tap_bail("the child is gone");
	agent = start_agent(as);
	ok(wait_epochs(1), "a full report comes");
	check(pid, anon, PAGES, "anonymous memory");
	check(pid, file, PAGES, "a shared file");
	check(pid, cow, PAGES, "copied on write, half of it");
	check(getpid(), cow, PAGES, "the parent's side of it");
	is_int(mapcount(pfn(pid, file)), 2, "two processes map the file's page");
	is_int(mapcount(pfn(pid, cow)), 1, "a copied page has one owner");
	is_int(mapcount(pfn(pid, cow + LEN - 4096)), 2, "one not yet has two");
	view_rdlock(view);
	ok(rmap_page_unevictable(view_map(view), pfn(pid, anon)),
	   "the mlocked page is unevictable");
	ok(is_region_locked(pid, anon) && !is_region_locked(pid, cow) &&
	   !is_region_locked(pid, anon + 4096),
	   "its region is a locked one, others are not");
	view_unlock(view);
	step(sv[0], "u");
	step(sv[0], "m");
	ok(wait_epochs(2), "changes come");
	check(pid, anon, PAGES / 2, "after munmap of a half");
	check(pid, cow, 0, "after mremap: the old place");
	check(pid, file + 2 * LEN, PAGES, "after mremap: the new place");
	stop(agent);
	agent = start_agent(as);
	now = clock_now_ns();
	for (int i = 0; i < 30000; i++) {
		view_get_stats(view, &st);
		if (st.nr_connections == 2 && st.last_update_ns > now)
			break;
		poll(NULL, 0, 20);
	}
	ok(st.nr_connections == 2 && st.agent_connected &&
	   st.last_update_ns > now, "another agent takes over");
	check(pid, anon, PAGES / 2, "the view after the reconnection");
	/* Not reaped yet: it is a zombie, without memory. */
	kill(pid, SIGKILL);
	waitid(P_PID, pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	ok(wait_epochs(2), "exit comes");
	view_rdlock(view);
	ok(!rmap_mm_find(view_map(view), pid), "the process is forgotten");
	view_unlock(view);
	view_get_stats(view, &st);
	is_int(st.nr_rejected, 0, "nothing was refused");
	waitpid(pid, NULL, 0);
	stop(agent);
	agent_server_free(as);
	view_free(view);
	guest_mem_free(mem);
	return tap_done();
}
