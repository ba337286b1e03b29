// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The epochs of the agent, of the processes of this machine, as a host receives
 * them.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-agent/agent.h"
#include "tests/tap.h"

static struct agent agent;
static struct stream stream;
static struct protocol_decoder decoder;
static int wire;		/* a file that holds what was sent */

/* None is used: processes are sent without roots. */
const struct pgd_method pgd_bpf = { .name = "bpf" };
const struct pgd_method pgd_kcore = { .name = "kcore" };

/* What was received of the child since the last call. */
struct received {
	bool full, delta, forgotten;
};

static void note(const struct protocol_message *m, pid_t child,
		 struct received *r)
{
	if (m->type == PROTOCOL_MM && m->mm.pid == (uint32_t)child) {
		r->delta |= m->mm.flags & PROTOCOL_MM_DELTA;
		r->full |= !(m->mm.flags & PROTOCOL_MM_DELTA);
	}
	if (m->type == PROTOCOL_FORGET && m->pid == (uint32_t)child)
		r->forgotten = true;
}

#define NR	 20000	/* frames: several reads */
#define NR_LEFT	 9000
#define KPF_BUDDY (UINT64_C(1) << 10)

static struct {
	uint64_t nr, nr_free, nr_unknown, first_unknown;
} flags;

static void note_flags(const struct protocol_message *m)
{
	if (m->type != PROTOCOL_FLAGS)
		return;
	for (uint32_t i = 0; i < m->nr; i++) {
		const struct protocol_flags *f = &m->flags[i];

		if (!f->flags && !flags.nr_unknown)
			flags.first_unknown = f->gfn;
		flags.nr += f->count;
		flags.nr_free += f->flags == PROTOCOL_PG_FREE ? f->count : 0;
		flags.nr_unknown += f->flags ? 0 : f->count;
	}
}

static struct received receive(pid_t child)
{
	struct received r = { 0 };
	struct protocol_message m;
	static uint8_t buf[65536];
	size_t used;
	ssize_t n;
	int rc;

	if (lseek(wire, 0, SEEK_SET))
		tap_bail("lseek");
	while ((n = read(wire, buf, sizeof(buf))) > 0) {
		for (size_t at = 0; at < (size_t)n; at += used) {
			rc = protocol_decode(&decoder, buf + at, n - at, &used,
					     &m);
			if (rc < 0)
				tap_bail("invalid: %s",
					 protocol_error_text(-rc));
			if (rc) {
				note(&m, child, &r);
				note_flags(&m);
			}
		}
	}
	if (ftruncate(wire, 0) || lseek(wire, 0, SEEK_SET))
		tap_bail("ftruncate");
	return r;
}

static void connect_anew(void)
{
	stream_init(&stream, wire);
	protocol_decoder_init(&decoder, PROTOCOL_FROM_GUEST, agent.frames.nr);
	agent_hello(&agent, &stream);
}

static struct received epoch(pid_t child)
{
	if (agent_epoch(&agent, false))
		tap_bail("no epoch");
	return receive(child);
}

/* In this epoch no process can be read. */
static struct received blind_epoch(pid_t child)
{
	struct rlimit limit, few;
	int next = dup(wire);

	if (next < 0 || close(next) || getrlimit(RLIMIT_NOFILE, &limit))
		tap_bail("no limit of open files");
	few = limit;
	few.rlim_cur = next + 1;	/* for /proc itself */
	if (setrlimit(RLIMIT_NOFILE, &few) || agent_epoch(&agent, false) ||
	    setrlimit(RLIMIT_NOFILE, &limit))
		tap_bail("no epoch");
	return receive(child);
}

static void test_reconnect(pid_t child)
{
	struct received r;

	connect_anew();
	r = epoch(child);
	ok(r.full, "the first epoch of a connection sends a process");
	r = epoch(child);
	ok(!r.full && !r.delta && !r.forgotten, "the second has no change");
	connect_anew();
	epoch(child);
	connect_anew();
	r = blind_epoch(child);
	ok(!r.full && !r.delta && !r.forgotten,
	   "on another connection it cannot be read at first");
	r = epoch(child);
	ok(r.full && !r.delta, "and is sent completely once it can be");
	r = blind_epoch(child);
	ok(r.forgotten, "a process that cannot be read any more has ended");
}

static void send_flags(struct frames *f, bool all)
{
	struct protocol_message m = {
		.type = PROTOCOL_EPOCH_BEGIN, .epoch = { ++agent.epoch, 0 },
	};

	memset(&flags, 0, sizeof(flags));
	stream_put(&stream, &m);
	frames_send_flags(f, &stream, all);
	m.type = PROTOCOL_EPOCH_END;
	stream_put(&stream, &m);
	stream_flush(&stream);
	receive(0);
}

/* The host takes what is not sent for unchanged. */
static void test_unreadable_flags(void)
{
	static uint64_t entries[NR];
	struct frames f = {
		.nr = NR, .flags = calloc(NR, sizeof(*f.flags)),
		.zero = calloc(NR / 8 + 1, 1),
		.flags_fd = memfd_create("kpageflags", MFD_CLOEXEC),
	};
	int file = f.flags_fd, fds[2];

	for (int i = 0; i < NR; i++)
		entries[i] = KPF_BUDDY;
	if (!f.flags || !f.zero || file < 0 || pipe(fds) ||
	    write(file, entries, sizeof(entries)) != sizeof(entries))
		tap_bail("no flags");
	send_flags(&f, true);
	ok(flags.nr_free == NR && flags.nr == NR, "all frames are free");
	send_flags(&f, false);
	ok(!flags.nr, "and still are: nothing is sent");
	if (ftruncate(file, NR_LEFT * sizeof(*entries)))
		tap_bail("ftruncate");
	send_flags(&f, false);
	ok(flags.nr == NR - NR_LEFT && flags.nr_unknown == NR - NR_LEFT &&
	   flags.first_unknown == NR_LEFT,
	   "those beyond the end of the file are unknown");
	f.flags_fd = fds[0];	/* a pipe has no positions to read at */
	send_flags(&f, false);
	ok(flags.nr == NR_LEFT && flags.nr_unknown == NR_LEFT,
	   "and those that cannot be read");
	send_flags(&f, true);
	ok(flags.nr == NR && flags.nr_unknown == NR, "all of them, in full");
	f.flags_fd = file;
	send_flags(&f, false);
	ok(flags.nr == NR_LEFT && flags.nr_free == NR_LEFT,
	   "until they can be read again");
	frames_destroy(&f);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	char why[256];
	pid_t child;

	wire = memfd_create("wire", MFD_CLOEXEC);
	agent_init(&agent);
	if (wire < 0 || frames_init(&agent.frames, why, sizeof(why)))
		tap_bail("no agent");
	/* Stopped, so that nothing of it changes. */
	child = fork();
	if (!child)
		raise(SIGSTOP);
	if (child < 0 || waitpid(child, NULL, WUNTRACED) != child)
		tap_bail("no child");
	test_reconnect(child);
	test_unreadable_flags();
	ok(!frames_have_grown(&agent.frames), "no memory was added");
	agent.frames.nr--;
	ok(frames_have_grown(&agent.frames) == agent.frames.have_pfns,
	   "than this: memory that is added is noticed, with privilege");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	agent_destroy(&agent);
	frames_destroy(&agent.frames);
	close(wire);
	return tap_done();
}
