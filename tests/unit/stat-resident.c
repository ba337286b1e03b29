// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which pages the statistics socket reads to find how much memory is resident:
 * pages are counted, not time.  A gate in front of guest_mem_residency() blocks
 * the reader, which shows who waits for it.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/engine-vm.h"
#include "vmm/client/client.h"
#include "vmm/control/resident-count.h"
#include "vmm/control/server.h"
#include "vmm/util/clock.h"
#include "vmm/util/cond.h"

#define DEADLINE_S 300		/* ends a hang */
#define GATE_S	   60		/* likewise, of one that must not wait there */
#define NR_CLIENTS 32
#define NR_SLICES  3		/* the last one is not whole */
#define NR_FRAMES  ((NR_SLICES - 1) * RESIDENT_SLICE + 1024)

static char dir[] = "/tmp/vmm-resident-XXXXXX";
static char path[64], why[512];

/* --- the gate ---------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;
	unsigned int nr_calls, nr_expired, nr_failing;
	uint64_t nr_pages, max_pages;	/* looked at; in one call */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER };

int __real_guest_mem_residency(const struct guest_mem *mem,
			       struct gfn_range range, uint64_t *resident,
			       uint64_t *swapped);
int __wrap_guest_mem_residency(const struct guest_mem *mem,
			       struct gfn_range range, uint64_t *resident,
			       uint64_t *swapped);

int __wrap_guest_mem_residency(const struct guest_mem *mem,
			       struct gfn_range range, uint64_t *resident,
			       uint64_t *swapped)
{
	uint64_t end = clock_now_ns() + GATE_S * NSEC_PER_SEC;
	bool fails = false;
	char name[32] = "";

	/* What scans read is not counted here. */
	pthread_getname_np(pthread_self(), name, sizeof(name));
	if (!strcmp(name, "vmm-engine"))
		return __real_guest_mem_residency(mem, range, resident,
						  swapped);
	pthread_mutex_lock(&gate.lock);
	gate.nr_calls++;
	gate.nr_pages += range.nr;
	if (range.nr > gate.max_pages)
		gate.max_pages = range.nr;
	if (gate.nr_failing) {
		gate.nr_failing--;
		fails = true;
	}
	while (gate.closed &&
	       !cond_wait_until(&gate.changed, &gate.lock, end))
		;
	gate.nr_expired += gate.closed;
	/* Once is enough to fail. */
	gate.closed = false;
	pthread_mutex_unlock(&gate.lock);
	return fails ? -EIO :
		__real_guest_mem_residency(mem, range, resident, swapped);
}

static void gate_set(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.closed = closed;
	gate.nr_calls = gate.nr_expired = 0;
	gate.nr_pages = gate.max_pages = 0;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static unsigned int gate_calls(void)
{
	unsigned int n;

	pthread_mutex_lock(&gate.lock);
	n = gate.nr_calls;
	pthread_mutex_unlock(&gate.lock);
	return n;
}

static uint64_t gate_pages(void)
{
	uint64_t n;

	pthread_mutex_lock(&gate.lock);
	n = gate.nr_pages;
	pthread_mutex_unlock(&gate.lock);
	return n;
}

static void gate_fail(unsigned int nr)
{
	pthread_mutex_lock(&gate.lock);
	gate.nr_failing = nr;
	pthread_mutex_unlock(&gate.lock);
}

/* --- the guest and its server -------------------------------------------------- */

static void touch(struct guest_mem *mem, uint64_t gfn, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		*(char *)guest_mem_ptr(mem, GPA((gfn + i) * PAGE), PAGE) = 1;
}

static struct stat_server *serve(struct guest_mem *mem, struct view *view,
				 struct engine *engine)
{
	const struct stat_server_config config = {
		.path = path, .name = "resident", .mem = mem, .view = view,
		.engine = engine,
	};
	struct stat_server *server;

	if (stat_server_new(&server, &config, why, sizeof(why)))
		tap_bail("no server: %s", why);
	return server;
}

/* A member of a section of /stats. */
static uint64_t asked(const char *section, const char *name)
{
	json_t *j = NULL;
	uint64_t n;

	if (stat_request_within(path, "/stats", NULL, DEADLINE_S * 1000, &j,
				why, sizeof(why)))
		tap_bail("/stats: %s", why);
	n = json_integer_value(json_object_get(json_object_get(j, section),
					       name));
	json_decref(j);
	return n;
}

static uint64_t asked_pages(void)
{
	return asked("memory", "resident_bytes") / PAGE;
}

/* Asks until there are so many, or the deadline. */
static bool shows(uint64_t nr_pages)
{
	uint64_t end = clock_now_ns() + DEADLINE_S * NSEC_PER_SEC;

	while (asked_pages() != nr_pages) {
		if (clock_now_ns() > end)
			return false;
		usleep(20000);
	}
	return true;
}

/* --- tests --------------------------------------------------------------------- */

static void test_count(struct guest_mem *mem, uint64_t nr)
{
	struct resident_count *count;
	struct resident_figure f;

	if (resident_count_new(&count, mem))
		tap_bail("no thread");
	gate_set(false);
	resident_count_get(count, DEADLINE_S * NSEC_PER_SEC, &f);
	is_int(f.nr_resident, nr, "the first figure is of all slices");
	is_int(gate_pages(), NR_FRAMES, "each page is looked at once");
	ok(gate.max_pages <= RESIDENT_SLICE, "no more than a slice at a time");
	resident_count_get(count, DEADLINE_S * NSEC_PER_SEC, &f);
	is_int(f.nr_resident, nr, "so is the next one");
	resident_count_free(count);

	if (resident_count_new(&count, mem))
		tap_bail("no thread");
	gate_set(false);
	gate_fail(1);
	resident_count_get(count, DEADLINE_S * NSEC_PER_SEC, &f);
	is_int(f.nr_resident, 0, "of a count that fails there is none");
	while (!f.nr_resident)
		resident_count_get(count, DEADLINE_S * NSEC_PER_SEC, &f);
	is_int(f.nr_resident, nr, "and the next one is right");
	resident_count_free(count);
}

/* Whoever asks often enough has new figures, and all share what they cost. */
static void test_shared(struct guest_mem *mem, uint64_t nr)
{
	uint64_t start, rests, nr_pages;

	gate_set(false);
	start = clock_now_ns();
	ok(shows(nr), "the figure is there");
	for (int i = 0; i < NR_CLIENTS; i++)
		asked_pages();
	touch(mem, RESIDENT_SLICE + 5, 7);
	ok(shows(nr + 7), "a new one comes");
	nr_pages = gate_pages();
	rests = (clock_now_ns() - start) / RESIDENT_PAUSE_NS;
	ok(nr_pages <= NR_FRAMES * (rests + 1),
	   "no more than one count a second: %llu pages in %llu s",
	   (unsigned long long)nr_pages, (unsigned long long)rests);
}

static int begin(const char *resource)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) ||
	    dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", resource) < 0)
		tap_bail("can't ask: %s", strerror(errno));
	return fd;
}

static bool answered(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char text[16] = "";
	bool good = poll(&p, 1, DEADLINE_S * 1000) == 1 &&
		    read(fd, text, sizeof(text) - 1) > 0 &&
		    strstr(text, "200");

	close(fd);
	return good;
}

/* Nobody's answer waits for a count, and they all start one. */
static void test_held_up(struct guest_mem *mem, uint64_t nr)
{
	int fds[NR_CLIENTS];
	unsigned int good = 0;

	ok(shows(nr), "a figure");
	gate_set(true);
	while (!gate_calls())
		asked_pages();
	touch(mem, 900, 3);
	for (int i = 0; i < NR_CLIENTS; i++)
		fds[i] = begin(i % 2 ? "/metrics" : "/stats");
	for (int i = 0; i < NR_CLIENTS; i++)
		good += answered(fds[i]);
	is_int(good, NR_CLIENTS, "a count takes for ever: all are answered");
	is_int(asked_pages(), nr, "with the figure before");
	is_int(gate.nr_expired, 0, "without waiting for its end");
	is_int(gate_calls(), 1, "it is one count");
	gate_set(false);
	ok(shows(nr + 3), "and its figure comes in the end");
}

static void test_alone(void)
{
	struct stat_server *server;
	struct guest_mem *mem;
	struct view *view;
	uint64_t nr = 40;

	if (guest_mem_new(&mem, NR_FRAMES * PAGE, GUEST_MEM_MEMFD) ||
	    view_new(&view, mem))
		tap_bail("no guest memory or view");
	touch(mem, 3, 10);
	touch(mem, NR_FRAMES - 30, 30);
	test_count(mem, nr);
	server = serve(mem, view, NULL);
	test_shared(mem, nr);
	test_held_up(mem, nr + 7);
	stat_server_free(server);
	view_free(view);
	guest_mem_free(mem);
}

/* The engine keeps count: an answer reads no pages. */
static void test_with_engine(void)
{
	struct stat_server *server;
	unsigned int nr = 0;
	struct vm vm;

	vm_prepare(&vm, HOT);
	vm_start(&vm, 0);
	wait_scans(&vm, 1);
	server = serve(vm.mem, vm.view, vm.engine);
	gate_set(false);
	for (int i = 0; i < NR_CLIENTS; i++)
		nr += asked_pages() > 0;
	is_int(nr, NR_CLIENTS, "with an engine the figure is there");
	is_int(gate_pages(), 0, "and no answer looks at a page");
	stat_server_free(server);
	vm_stop(&vm);
}

int main(void)
{
	if (!mkdtemp(dir))
		tap_bail("no directory in /tmp");
	snprintf(path, sizeof(path), "%s/s", dir);
	cond_init(&gate.changed);
	test_alone();
	test_with_engine();
	rmdir(dir);
	return tap_done();
}
