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
			if (rc)
				note(&m, child, &r);
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
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	agent_destroy(&agent);
	frames_destroy(&agent.frames);
	close(wire);
	return tap_done();
}
