// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The evictor process: pages go through it with no byte lost, whoever touches,
 * discards or kills meanwhile; and it ends when its parent does.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/one-cpu.h"
#include "tests/tap.h"
#include "tests/unit/stderr-lines.h"
#include "tests/unit/swap-works.h"
#include "vmm/sink/evictor.h"
#include "vmm/sink/sink.h"
#include "vmm/util/bitmap.h"

#define NR   2048u		/* frames: 8 MiB */
#define PAGE 4096
#define WORDS (PAGE / 8)
#define NR_ROUNDS 60
#define NR_TRIES  20
#define TOUCH_STEP 64	/* the kernel maps up to 15 pages with a touched one */

#define AS_A_GUEST __attribute__((no_sanitize("thread"), noinline))

static struct guest_mem *mem;
static struct reclaim_sink *sink;

static volatile uint64_t *page(uint64_t gfn)
{
	return guest_mem_ptr(mem, GPA(gfn * PAGE), PAGE);
}

static uint64_t word(uint64_t gfn, unsigned int k, uint64_t version)
{
	return (gfn * WORDS + k + 1) * UINT64_C(0x9e3779b97f4a7c15) + version;
}

AS_A_GUEST static void fill(uint64_t gfn, uint64_t version)
{
	for (unsigned int k = 0; k < WORDS; k++)
		page(gfn)[k] = word(gfn, k, version);
}

AS_A_GUEST static bool has(uint64_t gfn, uint64_t version)
{
	for (unsigned int k = 0; k < WORDS; k++)
		if (page(gfn)[k] != word(gfn, k, version))
			return false;
	return true;
}

static unsigned int nr_wrong(void)
{
	unsigned int n = 0;

	for (uint64_t g = 0; g < NR; g++)
		n += !has(g, 0);
	return n;
}

static uint64_t count_resident(uint64_t *nr_swapped)
{
	uint64_t in[BITMAP_WORDS(NR)] = { 0 }, out[BITMAP_WORDS(NR)] = { 0 };

	if (guest_mem_residency(mem, (struct gfn_range){ GFN(0), NR }, in, out))
		tap_bail("residency can't be read");
	if (nr_swapped)
		*nr_swapped = bitmap_count(out, 0, NR);
	return bitmap_count(in, 0, NR);
}

static void open_sink(enum guest_mem_backing backing)
{
	char why[512] = "";

	if (guest_mem_new(&mem, NR * PAGE, backing))
		tap_bail("no memory");
	if (sink_swap.open(&sink, mem, NULL, why, sizeof(why)))
		tap_bail("no sink: %s", why);
	for (uint64_t g = 0; g < NR; g++)
		fill(g, 0);
}

static void close_sink(void)
{
	sink->ops->close(sink);
	guest_mem_free(mem);
}

static struct evictor_stats evictor(void)
{
	struct reclaim_sink_stats s;

	sink->ops->get_stats(sink, &s);
	return s.evictor;
}

static struct reclaim_result evict(const struct gfn_range *r, size_t nr)
{
	struct reclaim_result res = { 0 };
	int rc = sink->ops->evict(sink, r, nr, &res);

	if (rc)
		tap_bail("evict: %s", strerror(-rc));
	return res;
}

/* Every second page: as many ranges as pages. */
static size_t odd_pages(struct gfn_range *r)
{
	size_t n = 0;

	for (uint64_t g = 1; g < NR; g += 2)
		r[n++] = (struct gfn_range){ GFN(g), 1 };
	return n;
}

/* Few pages between two candidates are unmapped with them, and are told. */
static void test_unmapped(void)
{
	const struct gfn_range r[] = {
		{ GFN(100), 1 }, { GFN(102), 1 }, { GFN(200), 1 },
	};
	uint64_t mapped[BITMAP_WORDS(NR)] = { 0 };
	struct reclaim_result res;

	open_sink(GUEST_MEM_MEMFD);
	res = evict(r, 3);
	if (guest_mem_mapped(mem, (struct gfn_range){ GFN(0), NR }, mapped))
		tap_bail("what is mapped can't be read");
	ok(res.unmapped && bitmap_test(res.unmapped, 101) &&
	   bitmap_count(res.unmapped, 0, NR) == 1 && !bitmap_test(mapped, 101),
	   "a page between two that go is unmapped, and told");
	ok(bitmap_test(mapped, 99) && bitmap_test(mapped, 103) &&
	   bitmap_count(mapped, 103, 200) == 97, "others are not");
	is_int(nr_wrong(), 0, "every byte is right");
	res = evict(r + 2, 1);
	ok(res.unmapped && !bitmap_count(res.unmapped, 0, NR),
	   "the next call tells only of its own");
	close_sink();
}

static void test_bytes(void)
{
	static struct gfn_range r[NR];
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res;
	uint64_t swapped, resident;
	size_t n = odd_pages(r);

	open_sink(GUEST_MEM_MEMFD);
	ok(evictor().is_running && evictor().pid > 0 && !evictor().nr_pages,
	   "with a memfd there is an evictor, process %d", (int)evictor().pid);
	res = evict(r, n);
	resident = count_resident(&swapped);
	/* The kernel keeps a page that it has in hand just then. */
	ok(res.evicted > n - 100 && res.tried == n,
	   "single pages go: %llu of %zu", (unsigned long long)res.evicted, n);
	/* Others, as somebody's DAMON, may evict a few idle pages meanwhile. */
	ok(resident == NR - swapped && swapped >= res.evicted &&
	   swapped < res.evicted + 100, "the host agrees: %llu resident, %llu in swap",
	   (unsigned long long)resident, (unsigned long long)swapped);
	is_int(res.evicted + res.absent + res.kept, res.tried, "it adds up");
	is_int(evictor().nr_pages, n, "the evictor was given them");
	ok(evictor().cpu_ns > 0 && sink->helper_cpu_ns == evictor().cpu_ns,
	   "its CPU time is known: %llu us",
	   (unsigned long long)evictor().cpu_ns / 1000);
	is_int(nr_wrong(), 0, "every byte is right when it is read again");

	is_int(guest_mem_unmap(mem, all), 0, "now all is unmapped,");
	is_int(count_resident(NULL), NR, "which evicts nothing,");
	res = evict(&all, 1);
	ok(res.evicted > NR - 100, "and goes in one run: %llu",
	   (unsigned long long)res.evicted);
	is_int(nr_wrong(), 0, "every byte is right when it is read again");
	close_sink();
}

/* Pages that are mapped here, too, are left alone. */
static void test_touched(void)
{
	const struct gfn_range all = { GFN(0), NR };
	struct evictor *e;
	char why[128];
	uint64_t in[BITMAP_WORDS(NR)] = { 0 };
	unsigned int nr_gone = 0;

	if (guest_mem_new(&mem, NR * PAGE, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	for (uint64_t g = 0; g < NR; g++)
		fill(g, 0);
	is_int(evictor_new(&e, mem, why, sizeof(why)), 0, "an evictor alone");
	is_int(evictor_evict(e, &all, 1, NULL), 0, "is given mapped pages");
	is_int(count_resident(NULL), NR, "and leaves them");
	guest_mem_unmap(mem, all);
	for (uint64_t g = 0; g < NR; g += TOUCH_STEP)
		nr_gone += !has(g, 0);
	is_int(evictor_evict(e, &all, 1, NULL), 0, "some are touched again");
	if (guest_mem_residency(mem, all, in, NULL))
		tap_bail("residency can't be read");
	for (uint64_t g = 0; g < NR; g += TOUCH_STEP)
		nr_gone += !bitmap_test(in, g);
	is_int(nr_gone, 0, "and all of these stay");
	ok(count_resident(NULL) < NR / 2, "of the others most go: %llu stay",
	   (unsigned long long)count_resident(NULL));
	is_int(nr_wrong(), 0, "every byte is right");
	is_int(evictor_evict(e, &(struct gfn_range){ GFN(NR), 1 }, 1, NULL),
	       -EFAULT, "a frame outside memory is refused");
	evictor_free(e);
	guest_mem_free(mem);
}

/* A thread that counts up in each page, and finds what it wrote last. */
struct writer {
	pthread_t thread;
	uint64_t first;		/* of its pages: every fourth */
	uint64_t nr_rounds, nr_lost;
	atomic_bool *stop;
};

AS_A_GUEST static void *write_pages(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load(w->stop)) {
		for (uint64_t g = w->first; g < NR; g += 4) {
			volatile uint64_t *p = page(g);

			w->nr_lost += p[5] != word(g, 5, w->nr_rounds) ||
				      p[500] != word(g, 500, w->nr_rounds);
			p[5] = word(g, 5, w->nr_rounds + 1);
			p[500] = word(g, 500, w->nr_rounds + 1);
		}
		w->nr_rounds++;
	}
	return NULL;
}

/* Discards pages and fills them again: what it finds must be zeros then. */
AS_A_GUEST static void *discard_pages(void *arg)
{
	struct writer *w = arg;

	while (!atomic_load(w->stop)) {
		for (uint64_t g = w->first; g < NR; g += 4) {
			if (guest_mem_discard(mem, (struct gfn_range){ GFN(g),
								       1 }))
				w->nr_lost++;
			for (unsigned int k = 0; k < WORDS; k += 100)
				w->nr_lost += page(g)[k] != 0;
			page(g)[0] = g + 1;
			w->nr_lost += page(g)[0] != g + 1;
		}
		w->nr_rounds++;
	}
	return NULL;
}

static void test_races(void)
{
	static struct gfn_range r[NR];
	const struct gfn_range all = { GFN(0), NR };
	atomic_bool stop = false;
	struct writer writers[] = {
		{ .first = 0, .stop = &stop }, { .first = 1, .stop = &stop },
		{ .first = 2, .stop = &stop },
	};
	uint64_t nr_evicted = 0, nr_lost = 0;
	unsigned int wrong = 0;
	size_t n = odd_pages(r);

	open_sink(GUEST_MEM_MEMFD);
	for (int i = 0; i < 3; i++)
		pthread_create(&writers[i].thread, NULL,
			       i < 2 ? write_pages : discard_pages,
			       &writers[i]);
	for (int i = 0; i < NR_ROUNDS; i++)
		nr_evicted += i % 2 ? evict(&all, 1).evicted :
				      evict(r, n).evicted;
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++) {
		pthread_join(writers[i].thread, NULL);
		nr_lost += writers[i].nr_lost;
	}
	printf("# rounds: %llu and %llu of writes, %llu of discards\n",
	       (unsigned long long)writers[0].nr_rounds,
	       (unsigned long long)writers[1].nr_rounds,
	       (unsigned long long)writers[2].nr_rounds);
	ok(nr_evicted > 0, "%llu pages go while threads write and discard",
	   (unsigned long long)nr_evicted);
	is_int(nr_lost, 0, "no write is lost, no discarded page has its data again");
	for (uint64_t g = 3; g < NR; g += 4)
		wrong += !has(g, 0);
	is_int(wrong, 0, "pages that nobody touched are right");
	ok(evictor().is_running, "the evictor runs");
	close_sink();
}

static void *kill_it(void *pid)
{
	usleep(3000);
	kill(*(pid_t *)pid, SIGKILL);
	return NULL;
}

static void test_killed(void)
{
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	pthread_t killer;
	unsigned int n;
	pid_t pid;

	open_sink(GUEST_MEM_MEMFD);
	pid = evictor().pid;
	forget_lines();
	pthread_create(&killer, NULL, kill_it, &pid);
	for (n = 0; evictor().pid; n++) {
		res = evict(&all, 1);
		if (nr_wrong())
			break;
	}
	pthread_join(killer, NULL);
	printf("# killed in or after eviction %u\n", n);
	ok(!evictor().is_running && !evictor().pid, "a killed one is noticed");
	ok(strstr(evictor().last_error, "was killed by signal 9") &&
	   evictor().last_error_ns, "the last error: %s", evictor().last_error);
	ok(res.evicted > NR / 2, "the eviction was done all the same: %llu",
	   (unsigned long long)res.evicted);
	is_int(nr_wrong(), 0, "every byte is right");
	for (int i = 0; i < NR_TRIES; i++) {
		res = evict(&all, 1);
		if (res.evicted > NR - 100)
			break;
		nr_wrong();
	}
	ok(res.evicted > NR - 100, "later ones need none: %llu",
	   (unsigned long long)res.evicted);
	is_int(nr_wrong(), 0, "every byte is right");
	is_int(count_lines("was killed by signal 9"), 1, "it was logged once");
	forget_lines();
	close_sink();
}

static void *stop_it(void *stopping)
{
	usleep(50000);
	atomic_store((atomic_bool *)stopping, true);
	return NULL;
}

/* One that does not answer keeps nobody from stopping; it may be late. */
static void test_cancelled(void)
{
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	atomic_bool stopping = false;
	pthread_t stopper;
	pid_t pid;

	open_sink(GUEST_MEM_MEMFD);
	evict(&all, 1);
	nr_wrong();
	pid = evictor().pid;
	sink->stopping = &stopping;
	kill(pid, SIGSTOP);
	pthread_create(&stopper, NULL, stop_it, &stopping);
	is_int(sink->ops->evict(sink, &all, 1, &res), -ECANCELED,
	       "an eviction without an answer is cancelled");
	pthread_join(stopper, NULL);
	ok(evictor().is_running, "which is no reason to give it up");
	kill(pid, SIGCONT);
	atomic_store(&stopping, false);
	is_int(nr_wrong(), 0, "every byte is right");
	for (int i = 0; i < 2; i++) {
		ok(evict(&all, 1).evicted > NR / 2, "later it evicts again");
		is_int(nr_wrong(), 0, "every byte is right");
	}
	close_sink();
}

/* One that dies while there is nothing to evict. */
static void test_idle_end(void)
{
	const struct gfn_range all = { GFN(0), NR };
	struct pollfd p = { .events = POLLIN };
	pid_t pid;

	open_sink(GUEST_MEM_MEMFD);
	evict(&all, 1);
	pid = evictor().pid;
	p.fd = syscall(SYS_pidfd_open, pid, 0);
	ok(evictor().is_running, "an idle evictor runs,");
	kill(pid, SIGKILL);
	/* Ends a hang; measures nothing. */
	ok(poll(&p, 1, 120000) == 1 && !evictor().is_running,
	   "and is known to have ended before an eviction finds out,");
	close(p.fd);
	forget_lines();
	for (int i = 0; i < 2; i++) {
		is_int(nr_wrong(), 0, "every byte is right");
		evict(&all, 1);
	}
	is_int(count_lines("was killed by signal 9"), 1, "which logs it, once");
	forget_lines();
	close_sink();
}

/* With SIGCHLD ignored, as by a supervisor that started us. */
static void test_ignored_end(void)
{
	const struct gfn_range all = { GFN(0), NR };

	signal(SIGCHLD, SIG_IGN);
	open_sink(GUEST_MEM_MEMFD);
	kill(evictor().pid, SIGKILL);
	evict(&all, 1);
	signal(SIGCHLD, SIG_DFL);
	ok(strstr(evictor().last_error, "was killed by signal 9"),
	   "its end is known where SIGCHLD was ignored: %s",
	   evictor().last_error);
	is_int(nr_wrong(), 0, "every byte is right");
	close_sink();
}

/* Exits with 0 if the parent has stopped waiting for the evictor in time. */
static void trace(pid_t pid, int ready, int over)
{
	struct pollfd p = { .fd = over, .events = POLLIN };
	int rc = syscall(SYS_ptrace, PTRACE_SEIZE, pid, NULL, NULL) ? -errno : 0;

	if (write(ready, &rc, sizeof(rc)) != sizeof(rc))
		_exit(2);
	/* Ends a hang; measures nothing. */
	_exit(poll(&p, 1, 60000) != 1);
}

/*
 * Nobody can wait for the end of a process whose tracer has not done so; as
 * little for one that is frozen, or waits for a swap device.
 */
static void test_does_not_end(bool evicts)
{
	const struct gfn_range all = { GFN(0), NR };
	struct reclaim_result res = { 0 };
	int ready[2], over[2], status = -1, rc;
	pid_t pid, tracer;

	open_sink(GUEST_MEM_MEMFD);
	pid = evictor().pid;
	if (pipe(ready) || pipe(over))
		tap_bail("pipe");
	tracer = fork();
	if (!tracer)
		trace(pid, ready[1], over[0]);
	if (read(ready[0], &rc, sizeof(rc)) != sizeof(rc))
		tap_bail("no tracer");
	if (evicts) {
		kill(pid, SIGKILL);
		res = evict(&all, 1);
	} else {
		close_sink();
	}
	if (write(over[1], "", 1) != 1)
		tap_bail("pipe");
	waitpid(tracer, &status, 0);
	if (tap_lacks_root(rc))
		tap_skip("one that does not end", "only root may trace it");
	else
		ok(!rc && !status, "one that does not end delays no %s",
		   evicts ? "eviction" : "end of ours");
	if (evicts) {
		ok(res.evicted > NR / 2, "pages are evicted without it: %llu",
		   (unsigned long long)res.evicted);
		close_sink();
	}
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(over[i]);
	}
	waitpid(pid, &status, 0);
}

/* 0, 1 or -errno. */
static int environment_has(pid_t pid, const char *text)
{
	char path[40], all[65536];
	int fd, rc = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, all, sizeof(all));
	if (n < 0)
		rc = -errno;
	else if (n > 0)
		rc = memmem(all, n, text, strlen(text)) != NULL;
	if (fd >= 0)
		close(fd);
	return rc;
}

static void test_environment(void)
{
	const struct gfn_range all = { GFN(0), NR };
	int has_secret, has_path;

	setenv("SECRET_OF_PARENT", "x", 1);
	setenv("LD_LIBRARY_PATH", "/nowhere", 0);
	open_sink(GUEST_MEM_MEMFD);
	evict(&all, 1);		/* it has begun its work by then */
	has_secret = environment_has(evictor().pid, "SECRET_OF_PARENT");
	has_path = environment_has(evictor().pid, "LD_LIBRARY_PATH=");
	if (tap_lacks_root(has_path))
		tap_skip("our environment", "only root may read it");
	else
		ok(has_path == 1 && has_secret == 0,
		   "of our environment it has the loader's variables only");
	close_sink();
}

/* Of /proc/PID/status, without the name. */
static bool status_is(pid_t pid, const char *name, const char *want)
{
	char path[40], line[256];
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		size_t n = strlen(name);

		if (strncmp(line, name, n) || line[n] != ':')
			continue;
		line[strcspn(line, "\n")] = 0;
		is = !strcmp(line + n + 1 + strspn(line + n + 1, "\t "), want);
		if (!is)
			printf("# %s\n", line);
	}
	if (f)
		fclose(f);
	return is;
}

static void test_jail(void)
{
	const struct gfn_range all = { GFN(0), NR };
	pid_t pid;
	char path[40];

	open_sink(GUEST_MEM_MEMFD);
	evict(&all, 1);		/* it has begun its work by then */
	pid = evictor().pid;
	ok(status_is(pid, "Name", "vmm-evictor"), "its name");
	ok(status_is(pid, "CapEff", "0000000000000000") &&
	   status_is(pid, "CapPrm", "0000000000000000"),
	   "it has no capabilities,");
	ok(status_is(pid, "NoNewPrivs", "1"), "can get none,");
	ok(status_is(pid, "Seccomp", "2"), "makes few system calls,");
	ok(status_is(pid, "Threads", "1"), "has one thread");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	ok(!geteuid() || open(path, O_RDONLY | O_CLOEXEC) < 0,
	   "and only root can read its memory");
	for (int sig = SIGHUP; sig <= SIGTERM; sig++)
		if (sig == SIGHUP || sig == SIGINT || sig == SIGTERM)
			kill(pid, sig);
	evict(&all, 1);
	ok(evictor().is_running, "signals for its parent do not end it");
	is_int(nr_wrong(), 0, "every byte is right");
	close_sink();
	ok(kill(pid, 0) && errno == ESRCH, "it ends with the sink");
}

/* The parent: evicts until it is killed. */
static void be_killed(int out)
{
	const struct gfn_range all = { GFN(0), NR };
	pid_t pid;

	open_sink(GUEST_MEM_MEMFD);
	evict(&all, 1);
	pid = evictor().pid;
	if (write(out, &pid, sizeof(pid)) < 0)
		_exit(1);
	for (;;) {
		evict(&all, 1);
		nr_wrong();
	}
}

static void test_parent_killed(void)
{
	struct pollfd p = { .events = POLLIN };
	int fds[2], status;
	pid_t parent, pid;

	if (pipe(fds))
		tap_bail("pipe");
	parent = fork();
	if (!parent)
		be_killed(fds[1]);
	if (read(fds[0], &pid, sizeof(pid)) != sizeof(pid))
		tap_bail("no evictor");
	p.fd = syscall(SYS_pidfd_open, pid, 0);
	usleep(20000);
	ok(p.fd >= 0 && !poll(&p, 1, 0), "a parent's evictor runs");
	kill(parent, SIGKILL);
	waitpid(parent, &status, 0);
	/* Ends a hang; measures nothing. */
	is_int(poll(&p, 1, 120000), 1, "and ends when its parent is killed");
	close(p.fd);
}

static void test_none(void)
{
	const struct gfn_range all = { GFN(0), NR };

	open_sink(GUEST_MEM_ANON);
	ok(!evictor().is_running && !*evictor().last_error,
	   "without a memfd no evictor is started");
	ok(evict(&all, 1).evicted > NR - 100, "pages go all the same");
	is_int(nr_wrong(), 0, "and come back");
	close_sink();
}

int main(int argc, char **argv)
{
	evictor_init(argc, argv);
	catch_stderr();
	check_that_swap_works(NR * PAGE);
	test_races();
	test_killed();
	test_idle_end();
	test_ignored_end();
	test_cancelled();
	test_does_not_end(true);
	test_does_not_end(false);
	test_jail();
	test_environment();
	test_parent_killed();
	stay_on_one_cpu(NULL);
	test_bytes();
	test_unmapped();
	test_touched();
	test_none();
	return tap_done();
}
