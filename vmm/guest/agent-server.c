// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One thread: waits for a connection, reads, decodes, applies.  Other threads
 * pass it `next_fd` and requests under the mutex, and wake it by an eventfd.
 *
 * A message of a few bytes can describe all frames, or end a process that maps
 * them all.  So the cost of each message is counted, and the agent has a budget
 * (work-budget.h), larger than an honest agent needs.  While it is in debt,
 * nothing is read from it: its socket fills, and its writes block.
 *
 *     poll --[bytes]--> buf --decode--> message --apply, charge--+
 *      ^                 ^                                       |
 *      |                 +-- there is more, and no debt ---------+
 *      +-- buf empty, a debt (poll has a timeout), or another thread's request
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/guest/agent-server.h"
#include "vmm/guest/view-internal.h"
#include "vmm/guest/work-budget.h"
#include "vmm/util/clock.h"
#include "vmm/util/log.h"

/*
 * The unit of work is setting the flags of one frame, about 10 ns.  A complete
 * report of all memory, replacing an earlier one, costs some 50 units a frame.
 */
#define RECEIVE_WORK 256	/* a system call, whatever it reads */
#define MESSAGE_WORK 64
#define RUN_WORK     8		/* a record of RUNS, whatever it contains */
#define MAPPING_WORK 16		/* a mapping added, replaced or removed */
#define VMA_WORK     64		/* a region removed */
#define MM_WORK	     16		/* a process removed, without its regions */
#define STEP_WORK    4		/* a step of rmap_work(); may miss the cache */
#define BYTES_PER_WORK 8	/* bytes received and decoded for 1 unit */
/* A scan of flags begins by clearing a bit of each frame: frames for 1 unit. */
#define FRAMES_PER_WORK 1024

/*
 * Rate, in units a second: a complete report every other second, but no more
 * than a third of a core.  Burst: one complete report of a guest of any size.
 */
#define RATE_PER_FRAME	32
#define MIN_RATE	(UINT64_C(4) << 20)
#define MAX_RATE	(UINT64_C(32) << 20)
#define BURST_PER_FRAME 64
#define MIN_BURST	(2 * MIN_RATE)

#define MAX_PAUSES_PER_SECOND 8	/* pauses of reading, at most */
#define MAX_WAIT_NS NSEC_PER_SEC	/* after it the debt is checked again */
/* After this much work, requests of other threads are looked for. */
#define ROUND_WORK (UINT64_C(1) << 20)

struct agent_server {
	struct view *view;	/* not owned */
	pthread_t thread;
	int event_fd;		/* owned: wakes the thread */
	pthread_mutex_t lock;	/* guards what follows, up to `connected` */
	int next_fd;		/* owned; -1: none */
	uint64_t requested_drop_bytes;	/* not sent to the agent yet; 0: none */
	bool connected;
	atomic_bool stop;	/* set once: the thread is to end */
	/* Used by the thread only: */
	int fd;			/* owned; -1: no agent */
	struct log_limit limit, throttle_limit;
	struct protocol_decoder decoder;
	struct work_budget budget;	/* kept over connections */
	bool throttled;
	size_t at, len;		/* buf[at] to buf[len - 1]: not decoded yet */
	uint8_t buf[65536];
};

static void wake(struct agent_server *as)
{
	uint64_t one = 1;

	/* Can only fail when the counter is full, and then it is awake. */
	if (write(as->event_fd, &one, sizeof(one)) < 0)
		return;
}

static void set_connected(struct agent_server *as, bool connected)
{
	pthread_mutex_lock(&as->lock);
	as->connected = connected;
	pthread_mutex_unlock(&as->lock);
	view_wrlock(as->view);
	as->view->stats.agent_connected = connected;
	as->view->stats.nr_connections += connected;
	view_unlock(as->view);
}

static void set_throttled(struct agent_server *as, bool throttled)
{
	if (throttled == as->throttled)
		return;
	as->throttled = throttled;
	view_wrlock(as->view);
	as->view->stats.throttled = throttled;
	as->view->stats.nr_throttled += throttled;
	view_unlock(as->view);
	if (throttled)
		log_limited(&as->throttle_limit, LOG_LEVEL_WARN,
			    "guest agent: handling its messages exceeds its "
			    "CPU quota on the host: reading from it is "
			    "throttled");
}

static void disconnect(struct agent_server *as)
{
	if (as->fd < 0)
		return;
	close(as->fd);
	as->fd = -1;
	as->at = as->len = 0;
	set_throttled(as, false);
	set_connected(as, false);
}

static uint64_t between(uint64_t least, uint64_t n, uint64_t most)
{
	return n < least ? least : n > most ? most : n;
}

/* A debt outlives the connection: reconnecting does not clear it. */
static void begin_budget(struct agent_server *as)
{
	uint64_t frames = guest_mem_nr_frames(as->view->mem);

	if (as->budget.rate > 0)
		return;
	work_budget_init(&as->budget,
			 between(MIN_RATE, frames * RATE_PER_FRAME, MAX_RATE),
			 between(MIN_BURST, frames * BURST_PER_FRAME,
				 UINT64_MAX), clock_now_ns());
}

static void connect_to(struct agent_server *as, int fd)
{
	disconnect(as);
	as->fd = fd;
	protocol_decoder_init(&as->decoder, PROTOCOL_FROM_GUEST,
			      guest_mem_nr_frames(as->view->mem));
	begin_budget(as);
	view_apply_reset(as->view);
	set_connected(as, true);
}

static void send_drop_cache(struct agent_server *as, uint64_t nr_bytes)
{
	const struct protocol_message msg = {
		.type = PROTOCOL_DROP_CACHE, .drop_bytes = nr_bytes,
	};
	uint8_t frame[PROTOCOL_HEADER_SIZE + 8];
	size_t len = protocol_encode(&msg, frame, sizeof(frame));

	/* An agent that does not read its socket must not block us. */
	if (as->fd >= 0 && send(as->fd, frame, len,
				MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		disconnect(as);
}

/* Handles requests of other threads.  False: the thread is to end. */
static bool serve_requests(struct agent_server *as)
{
	uint64_t n, drop_bytes;
	int fd;

	if (read(as->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return false;
	pthread_mutex_lock(&as->lock);
	drop_bytes = as->requested_drop_bytes;
	fd = as->next_fd;
	as->next_fd = -1;
	as->requested_drop_bytes = 0;
	pthread_mutex_unlock(&as->lock);
	if (fd >= 0)
		connect_to(as, fd);
	if (drop_bytes)
		send_drop_cache(as, drop_bytes);
	return !as->stop;
}

static void reject(struct agent_server *as, int rc)
{
	view_wrlock(as->view);
	as->view->stats.nr_rejected++;
	view_unlock(as->view);
	log_limited(&as->limit, LOG_LEVEL_WARN,
		    "guest agent: disconnected, as it sent an invalid message: "
		    "%s",
		    protocol_error_text(rc));
	disconnect(as);
}

/* What a message may change; the differences give its cost. */
struct state {
	struct rmap_stats map;
	uint64_t steps;
	bool has_flags, receiving_flags;
};

static struct state read_view_state(struct agent_server *as)
{
	struct state s = {
		.has_flags = as->view->has_flags,
		.receiving_flags = as->view->receiving_flags,
	};

	view_rdlock(as->view);
	rmap_get_stats(as->view->map, &s.map);
	s.steps = rmap_work(as->view->map);
	view_unlock(as->view);
	return s;
}

static uint64_t pages_of(const struct protocol_message *msg)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < msg->nr; i++)
		if (msg->type == PROTOCOL_FLAGS)
			nr += msg->flags[i].count;
		else if (!(msg->runs[i].flags & PROTOCOL_RUN_UNMAPPED))
			nr += msg->runs[i].count;
	return nr;
}

static uint64_t less_than_before(uint64_t before, uint64_t now)
{
	return before > now ? before - now : 0;
}

/* The cost of frames visited for their flags. */
static uint64_t flags_work(struct agent_server *as,
			   const struct protocol_message *msg,
			   const struct state *before, const struct state *now)
{
	uint64_t frames = guest_mem_nr_frames(as->view->mem), work = 0;

	if (msg->type == PROTOCOL_FLAGS)
		work += pages_of(msg);
	if (now->receiving_flags && !before->receiving_flags)
		work += frames / FRAMES_PER_WORK;
	if (before->has_flags && !now->has_flags)
		work += frames;
	return work;
}

/* The cost of changes to the map. */
static uint64_t map_work(const struct protocol_message *msg,
			 const struct state *before, const struct state *now)
{
	const struct rmap_stats *b = &before->map, *n = &now->map;
	uint64_t work = STEP_WORK * (now->steps - before->steps);

	if (msg->type == PROTOCOL_RUNS)
		work += RUN_WORK * msg->nr + MAPPING_WORK * pages_of(msg);
	work += MAPPING_WORK * less_than_before(b->nr_mappings, n->nr_mappings);
	work += VMA_WORK * less_than_before(b->nr_vmas, n->nr_vmas);
	work += MM_WORK * less_than_before(b->nr_mms, n->nr_mms);
	/* The table of processes was scanned once, or half of it moved. */
	if (msg->type == PROTOCOL_EPOCH_END)
		work += b->nr_mms;
	else if (n->nr_mms != b->nr_mms)
		work += b->nr_mms / 2;
	return work;
}

/* Applies a message and returns what it cost. */
static uint64_t apply(struct agent_server *as,
		      const struct protocol_message *msg)
{
	struct state before = read_view_state(as), now;

	view_apply(as->view, msg);
	if (msg->type == PROTOCOL_EPOCH_END && as->view->nr_dropped)
		log_limited(&as->limit, LOG_LEVEL_WARN,
			    "guest agent: %llu records dropped: over the limit "
			    "for this guest's memory, or inconsistent with "
			    "earlier ones",
			    (unsigned long long)as->view->nr_dropped);
	now = read_view_state(as);
	return MESSAGE_WORK + flags_work(as, msg, &before, &now) +
	       map_work(msg, &before, &now);
}

/* Reads more into the buffer, which is empty. */
static void receive(struct agent_server *as)
{
	ssize_t n = recv(as->fd, as->buf, sizeof(as->buf), MSG_DONTWAIT);

	work_budget_spend(&as->budget, RECEIVE_WORK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		disconnect(as);
		return;
	}
	as->at = 0;
	as->len = n;
	view_wrlock(as->view);
	as->view->stats.nr_bytes += n;
	view_unlock(as->view);
}

/* Handles messages in the buffer, as budget and round allow. */
static void serve_agent(struct agent_server *as)
{
	struct protocol_message msg;
	uint64_t round = 0, work;
	size_t used;
	int rc = 1;

	while (rc > 0 && as->at < as->len && round < ROUND_WORK && !as->stop &&
	       as->budget.left >= 0) {
		rc = protocol_decode(&as->decoder, as->buf + as->at,
				     as->len - as->at, &used, &msg);
		as->at += used;
		work = used / BYTES_PER_WORK;
		if (rc > 0)
			work += apply(as, &msg);
		work_budget_spend(&as->budget, work);
		round += work;
	}
	if (rc < 0)
		reject(as, rc);
}

/*
 * The time in ms until messages can be served; -1: not before the agent sends
 * something.
 */
static int wait_ms(struct agent_server *as)
{
	uint64_t ns;

	if (as->fd < 0)
		return -1;
	/* Once in debt, reading pauses until work for 1/8 second is allowed. */
	ns = work_budget_wait_ns(&as->budget, as->throttled ?
				 as->budget.rate / MAX_PAUSES_PER_SECOND : 0,
				 clock_now_ns());
	set_throttled(as, ns);
	if (ns)
		return 1 + (int)(between(0, ns, MAX_WAIT_NS) / NSEC_PER_MSEC);
	return as->at < as->len ? 0 : -1;
}

static void *server_thread(void *arg)
{
	struct agent_server *as = arg;

	for (;;) {
		int ms = wait_ms(as);
		struct pollfd p[2] = {
			{ .fd = as->event_fd, .events = POLLIN },
			/* Not polled while messages are left, or in debt. */
			{ .fd = ms < 0 ? as->fd : -1, .events = POLLIN },
		};

		if (poll(p, 2, ms) < 0)
			continue;
		if (p[0].revents) {
			if (!serve_requests(as))
				break;
			continue;	/* p[1] may be of a closed fd */
		}
		if (p[1].revents)
			receive(as);
		/* wait_ms() has updated `throttled`. */
		if (!as->throttled)
			serve_agent(as);
	}
	disconnect(as);
	return NULL;
}

int agent_server_new(struct agent_server **asp, struct view *view)
{
	struct agent_server *as = calloc(1, sizeof(*as));
	int rc;

	if (!as)
		return -ENOMEM;
	as->view = view;
	/* Another server of this view may have ended before. */
	atomic_store(&view->stop, false);
	as->fd = as->next_fd = -1;
	pthread_mutex_init(&as->lock, NULL);
	as->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (as->event_fd < 0) {
		rc = -errno;
		goto err_as;
	}
	rc = -pthread_create(&as->thread, NULL, server_thread, as);
	if (rc)
		goto err_event;
	*asp = as;
	return 0;

err_event:
	close(as->event_fd);
err_as:
	pthread_mutex_destroy(&as->lock);
	free(as);
	return rc;
}

void agent_server_free(struct agent_server *as)
{
	if (!as)
		return;
	as->stop = true;
	wake(as);
	view_apply_stop(as->view);
	pthread_join(as->thread, NULL);
	if (as->next_fd >= 0)
		close(as->next_fd);
	close(as->event_fd);
	pthread_mutex_destroy(&as->lock);
	free(as);
}

void agent_server_accept(int fd, void *arg)
{
	struct agent_server *as = arg;

	pthread_mutex_lock(&as->lock);
	if (as->next_fd >= 0)
		close(as->next_fd);
	as->next_fd = fd;
	pthread_mutex_unlock(&as->lock);
	wake(as);
}

int agent_server_drop_cache(struct agent_server *as, uint64_t nr_bytes)
{
	bool connected;

	if (!nr_bytes)
		return -EINVAL;
	pthread_mutex_lock(&as->lock);
	connected = as->connected || as->next_fd >= 0;
	if (connected)
		as->requested_drop_bytes = nr_bytes;
	pthread_mutex_unlock(&as->lock);
	if (!connected)
		return -ENOTCONN;
	wake(as);
	return 0;
}
