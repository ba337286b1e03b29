// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Agents that send messages that are cheap to send and expensive to apply, as
 * fast as they can: the work done for them stays within a budget per second,
 * however fast this machine is; and others are served meanwhile.
 *
 * The test checks an upper bound for the elapsed time, so a slow machine can't
 * make it fail.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-agent/protocol.h"
#include "tests/tap.h"
#include "vmm/guest/agent-server.h"
#include "vmm/guest/work-budget.h"
#include "vmm/util/clock.h"

#define FRAMES 65536u		/* 256 MiB */
#define PAGE   UINT64_C(4096)
/* As agent-server.c has it for such a guest. */
#define RATE   (UINT64_C(4) << 20)
#define BURST  (UINT64_C(8) << 20)
#define ROUND  (UINT64_C(4) << 20)	/* in which a debt can arise, and more */

static struct guest_mem *mem;
static struct view *view;
static struct agent_server *as;
static int agent = -1;			/* our end */
static uint64_t epoch;
static uint64_t nr_put;			/* messages, since begin() */

static struct view_stats stats_now(void)
{
	struct view_stats s;

	view_get_stats(view, &s);
	return s;
}

static void test_budget(void)
{
	struct work_budget b;

	work_budget_init(&b, 100, 1000, 5 * NSEC_PER_SEC);
	is_int(work_budget_wait_ns(&b, 0, 5 * NSEC_PER_SEC), 0, "it is full");
	work_budget_spend(&b, 1000);
	is_int(work_budget_wait_ns(&b, 0, 5 * NSEC_PER_SEC), 0,
	       "all is spent: no debt");
	work_budget_spend(&b, 50);
	ok(work_budget_wait_ns(&b, 0, 5 * NSEC_PER_SEC) - NSEC_PER_SEC / 2 < 9,
	   "a debt is waited for");
	ok(work_budget_wait_ns(&b, 50, 5 * NSEC_PER_SEC) - NSEC_PER_SEC < 9,
	   "longer where something is to be left");
	is_int(work_budget_wait_ns(&b, 0, 6 * NSEC_PER_SEC), 0, "then it is over");
	work_budget_wait_ns(&b, 0, 3600 * NSEC_PER_SEC);
	is_int((long)b.left, 1000, "no more is saved up than a burst");
}

/* A view and a server: nothing is known, saved up or owed. */
static void begin(void)
{
	if (view_new(&view, mem) || agent_server_new(&as, view))
		tap_bail("no memory");
	nr_put = 0;
}

static void call(void)
{
	uint64_t before = stats_now().nr_connections;
	int sv[2];

	if (agent >= 0)
		close(agent);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		tap_bail("no socketpair");
	agent = sv[1];
	epoch = 0;
	agent_server_accept(sv[0], as);
	while (stats_now().nr_connections == before)
		poll(NULL, 0, 1);
}

static uint8_t out[65536];
static size_t nr_out;

static void put(const struct protocol_message *msg)
{
	nr_put++;
	nr_out += protocol_encode(msg, out + nr_out, sizeof(out) - nr_out);
}

#define PUT(t, ...) \
	put(&(struct protocol_message){ .type = PROTOCOL_##t, __VA_ARGS__ })

/* Sends what is put, some of it may be left; false: the socket is full. */
static bool send_some(void)
{
	ssize_t n = send(agent, out, nr_out, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		tap_bail("the server hung up");
	if (n <= 0)
		return false;
	memmove(out, out + n, nr_out - n);
	nr_out -= n;
	return true;
}

/* Until all that was put since begin() is applied. */
static void send_all(void)
{
	while (nr_out)
		if (!send_some())
			poll(NULL, 0, 1);
	while (stats_now().nr_messages < nr_put)
		poll(NULL, 0, 1);
}

static void put_hello(void)
{
	nr_out = 0;
	PUT(HELLO, .hello = { 4096, PROTOCOL_FEAT_PFN | PROTOCOL_FEAT_FLAGS,
			      FRAMES });
	PUT(EPOCH_BEGIN, .epoch = { ++epoch, PROTOCOL_EPOCH_FULL });
}

/* 24 bytes that cost all frames. */
static void put_flags(unsigned int i)
{
	struct protocol_flags f = { 0, FRAMES, i % 2 ? PROTOCOL_PG_ANON : 0 };

	PUT(FLAGS, .nr = 1, .flags = &f);
}

/* A process with all frames; each takes the place of the one before. */
static void put_process(unsigned int i)
{
	struct protocol_run r = { 0x10000, 0, FRAMES, 0 };

	PUT(MM, .mm = { 7, 0, PROTOCOL_NO_PGD, "test" });
	PUT(VMA, .vma = { 0x10000, 0x10000 + FRAMES * PAGE, 16, 0, 0,
			  PROTOCOL_VM_READ, PROTOCOL_VMA_NEW });
	PUT(RUNS, .nr = 1, .runs = &r);
	PUT(MM_END, .pid = 7);
}

/*
 * --- pages of a file that has too many regions for them to be found in -------
 *
 * Each is told in another region of the file, then at another place of it.  The
 * map looks for the first place in RMAP_WALK_MAX regions: as many pages as there
 * are more regions are looked for without success, each time again.
 */
#define NR_SHARERS 1501u
#define FILE_START UINT64_C(0x10000000)
#define FILE_BYTES (NR_SHARERS * PAGE)

static void put_file_region(uint32_t pid, uint64_t start)
{
	PUT(MM, .mm = { pid, 0, PROTOCOL_NO_PGD, "test" });
	PUT(VMA, .vma = { start, start + FILE_BYTES, 0, 1, 1,
			  PROTOCOL_VM_READ | PROTOCOL_VM_SHARED,
			  PROTOCOL_VMA_NEW });
}

static void put_sharers(void)
{
	for (uint32_t k = 0; k < NR_SHARERS; k++) {
		struct protocol_run r = { FILE_START + k * PAGE, k, 1, 0 };

		put_file_region(k + 1, FILE_START);
		PUT(RUNS, .nr = 1, .runs = &r);
		PUT(MM_END, .pid = k + 1);
		if (nr_out > sizeof(out) / 2)
			send_all();
	}
	send_all();
}

static void put_other_place(unsigned int i)
{
	struct protocol_run r = { FILE_START + PAGE, 0, NR_SHARERS - 1, 0 };

	put_file_region(NR_SHARERS + 1, FILE_START);
	PUT(RUNS, .nr = 1, .runs = &r);
	PUT(MM_END, .pid = NR_SHARERS + 1);
}

/* --- records that say nothing ---------------------------------------------- */

#define SPARSE_START (UINT64_C(1) << 40)
#define SPARSE_BYTES (UINT64_C(1) << 54)
#define NR_RECORDS   1024

static void put_sparse_vma(uint32_t mm_flags, uint32_t op)
{
	PUT(MM, .mm = { 7, mm_flags, PROTOCOL_NO_PGD, "test" });
	PUT(VMA, .vma = { SPARSE_START, SPARSE_START + SPARSE_BYTES, 0, 0, 0,
			  PROTOCOL_VM_READ, op });
}

/* A region with one page, at its end, and the beginning of a change to it. */
static void put_sparse(void)
{
	struct protocol_run r = { SPARSE_START + SPARSE_BYTES - PAGE, 5, 1, 0 };

	put_sparse_vma(0, PROTOCOL_VMA_NEW);
	PUT(RUNS, .nr = 1, .runs = &r);
	PUT(MM_END, .pid = 7);
	PUT(EPOCH_END, .epoch = { epoch, 0 });
	PUT(EPOCH_BEGIN, .epoch = { ++epoch, 0 });
	put_sparse_vma(PROTOCOL_MM_DELTA, PROTOCOL_VMA_KEEP);
	send_all();
}

static void put_unmapped(unsigned int i)
{
	static struct protocol_run r[NR_RECORDS];

	for (uint64_t k = 0; k < NR_RECORDS; k++)
		r[k] = (struct protocol_run){
			SPARSE_START + ((uint64_t)i * NR_RECORDS + k) * PAGE,
			0, 1, PROTOCOL_RUN_UNMAPPED };
	PUT(RUNS, .nr = NR_RECORDS, .runs = r);
}

/* --- the floods ------------------------------------------------------------- */

/*
 * Until the agent has had to wait so often; false: it has not, for so many
 * messages that were applied.
 */
static bool flood(void (*put_next)(unsigned int i), uint64_t nr_waits,
		  uint64_t nr_messages)
{
	struct view_stats s = stats_now();
	uint64_t until = s.nr_throttled + nr_waits;
	uint64_t end = s.nr_messages + nr_messages;

	for (unsigned int i = 0; s.nr_throttled < until; s = stats_now()) {
		if (s.nr_messages >= end)
			return false;
		while (nr_out < sizeof(out) / 2)
			put_next(i++);
		if (!send_some())
			poll(NULL, 0, 1);
	}
	return true;
}

static const struct {
	const char *what;
	void (*prepare)(void);
	void (*put)(unsigned int i);
	unsigned int nr_messages;
	uint64_t work;		/* of so many messages, at least */
} kinds[] = {
	{ "flags of all frames", NULL, put_flags, 1, FRAMES },
	{ "processes with all frames", NULL, put_process, 4, 2 * 16 * FRAMES },
	{ "pages whose other places are too many", put_sharers, put_other_place, 4,
	  4 * (NR_SHARERS - RMAP_WALK_MAX) * RMAP_WALK_MAX },
	{ "records of nothing", put_sparse, put_unmapped, 1,
	  NR_RECORDS * (8 + 24 / 8) },
};

/* Far more than is saved up and comes in the time that it takes. */
#define FLOOD_WORK (UINT64_C(64) << 20)

static void test_floods(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t start, before, most, nr, seconds;
		bool waited;

		begin();
		start = clock_now_ns();
		call();
		put_hello();
		if (kinds[i].prepare)
			kinds[i].prepare();
		before = stats_now().nr_messages;
		waited = flood(kinds[i].put, 5, kinds[i].nr_messages *
			       (FLOOD_WORK / kinds[i].work));
		nr = (stats_now().nr_messages - before) / kinds[i].nr_messages;
		seconds = (clock_now_ns() - start) / NSEC_PER_SEC + 1;
		most = (BURST + ROUND + RATE * seconds) / kinds[i].work;
		/* A machine may be too slow for it to send that much. */
		ok(waited || nr <= most, "%s: it has to wait", kinds[i].what);
		ok(nr && nr <= most, "%s: %llu in %llu s, at most %llu",
		   kinds[i].what, (unsigned long long)nr,
		   (unsigned long long)seconds, (unsigned long long)most);

		/* It is to wait, others need not. */
		ok(!agent_server_drop_cache(as, 1), "%s: it can be asked",
		       kinds[i].what);
		ok(recv(agent, out, 16, MSG_WAITALL) == 16 &&
		   out[4] == PROTOCOL_DROP_CACHE, "%s: and hears it",
		   kinds[i].what);
		agent_server_free(as);
		ok(!stats_now().agent_connected && !stats_now().throttled,
		   "%s: the server ends, with all that waits", kinds[i].what);
		view_free(view);
	}
}

/* To call again pays no debt; an honest agent is heard all the same. */
static void test_call_again(void)
{
	uint64_t start = clock_now_ns(), before, most, nr, seconds;

	begin();
	before = stats_now().nr_messages;
	for (int i = 0; i < 8; i++) {
		call();
		put_hello();
		flood(put_flags, 1, FLOOD_WORK / FRAMES);
	}
	nr = stats_now().nr_messages - before;
	seconds = (clock_now_ns() - start) / NSEC_PER_SEC + 1;
	most = (BURST + ROUND + RATE * seconds) / FRAMES + 8 * 2;
	ok(nr <= most, "8 connections get no more than one: %llu in %llu s, at "
	   "most %llu", (unsigned long long)nr, (unsigned long long)seconds,
	   (unsigned long long)most);
	call();
	put_hello();
	PUT(PRESSURE, .pressure = { .mem_total = 4711 });
	PUT(EPOCH_END, .epoch = { epoch, 0 });
	while (nr_out && send_some())
		;
	/*
	 * The end of the epoch is handled last; without it this would not end.
	 */
	while (stats_now().epoch != 1)
		poll(NULL, 0, 1);
	is_int(stats_now().guest.mem_total, 4711,
	       "an honest agent is heard after that");
	agent_server_free(as);
	view_free(view);
}

/*
 * An agent without flags invalidates those that another has sent: all frames
 * are gone through for a message of 24 bytes, on each connection.
 */
static void test_flags_forgotten(void)
{
	const unsigned int nr = 500;
	const struct protocol_flags f = { 0, 1, PROTOCOL_PG_ANON };
	uint64_t start = clock_now_ns(), most, seconds;

	begin();
	for (unsigned int i = 0; i < nr; i++) {
		call();
		nr_out = 0;
		PUT(HELLO, .hello = { 4096, PROTOCOL_FEAT_PFN, FRAMES });
		PUT(EPOCH_BEGIN, .epoch = { ++epoch, PROTOCOL_EPOCH_FULL });
		PUT(FLAGS, .nr = 1, .flags = &f);
		send_all();
	}
	seconds = (clock_now_ns() - start) / NSEC_PER_SEC + 1;
	most = (BURST + ROUND + RATE * seconds) / FRAMES;
	ok(nr <= most, "flags of all frames are forgotten: %u times in %llu s, "
	   "at most %llu", nr, (unsigned long long)seconds,
	   (unsigned long long)most);
	agent_server_free(as);
	view_free(view);
}

int main(void)
{
	if (guest_mem_new(&mem, FRAMES * PAGE, GUEST_MEM_ANON))
		tap_bail("no memory");
	test_budget();
	test_floods();
	test_call_again();
	test_flags_forgotten();
	close(agent);
	guest_mem_free(mem);
	return tap_done();
}
