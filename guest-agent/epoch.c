// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An epoch is one report of all processes of the guest.  The first of a
 * connection, and every FULL_EVERY-th, sends everything; those between send
 * what changed:
 *
 *   /proc/PID/stat unchanged?  yes: the process's maps are not even read
 *                              no:  maps and pages are read and compared, and
 *                                   the difference is sent
 *
 * "Unchanged" means: no fault, same size and RSS.  Changes that this misses
 * (pages the kernel moved, merged or swapped one for one) are sent with the
 * next full epoch; until then the host finds that the page table entries do not
 * confirm them.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest-agent/agent.h"
#include "guest-agent/delta.h"

#define FULL_EVERY 64

struct process {
	pid_t pid;
	struct proc_stat stat;
	struct proc_snapshot sent;	/* what the host knows */
	uint64_t pgd;
	uint64_t seen;			/* the last epoch in which it existed */
	bool reported;			/* known to the host */
};

void agent_init(struct agent *a)
{
	a->stream = NULL;
	a->processes = NULL;
	a->nr = a->max = 0;
	a->epoch = 0;
	a->has_psi = false;
}

static void forget_all(struct agent *a)
{
	for (size_t i = 0; i < a->nr; i++)
		proc_snapshot_free(&a->processes[i].sent);
	a->nr = 0;
}

void agent_destroy(struct agent *a)
{
	forget_all(a);
	free(a->processes);
	agent_init(a);
}

void agent_hello(struct agent *a, struct stream *s)
{
	struct protocol_message m;
	struct protocol_pressure p;

	memset(&m, 0, sizeof(m));
	a->stream = s;
	a->epoch = 0;
	/* What was sent on the last connection does not count on this one. */
	forget_all(a);
	proc_read_pressure(&p, &a->has_psi);
	m.type = PROTOCOL_HELLO;
	m.hello.page_size = PROTOCOL_PAGE_SIZE;
	m.hello.nr_frames = a->frames.nr;
	m.hello.features =
		(a->frames.have_pfns ? PROTOCOL_FEAT_PFN : 0) |
		(a->frames.flags_fd >= 0 ? PROTOCOL_FEAT_FLAGS : 0) |
		(a->frames.have_count ? PROTOCOL_FEAT_COUNT : 0) |
		(a->has_psi ? PROTOCOL_FEAT_PSI : 0) |
		(a->pgds.method ? PROTOCOL_FEAT_PGD : 0) |
		(a->pgds.la57 ? PROTOCOL_FEAT_LA57 : 0) |
		(cache_can_drop() ? PROTOCOL_FEAT_CACHE : 0);
	stream_put(s, &m);
}

static size_t lower_bound(const struct agent *a, pid_t pid)
{
	size_t low = 0, high = a->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (a->processes[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The entry of pid, created if necessary; NULL: out of memory. */
static struct process *get_process(struct agent *a, pid_t pid)
{
	size_t at = lower_bound(a, pid);

	if (at < a->nr && a->processes[at].pid == pid)
		return &a->processes[at];
	if (array_grow((void **)&a->processes, a->nr, &a->max,
		       sizeof(*a->processes)))
		return NULL;
	memmove(&a->processes[at + 1], &a->processes[at],
		(a->nr - at) * sizeof(*a->processes));
	memset(&a->processes[at], 0, sizeof(*a->processes));
	a->processes[at].pid = pid;
	a->nr++;
	return &a->processes[at];
}

static void put_pid(struct agent *a, enum protocol_type type, pid_t pid)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.pid = pid;
	stream_put(a->stream, &m);
}

static void put_mm(struct agent *a, const struct process *p, bool delta)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	m.type = PROTOCOL_MM;
	m.mm.pid = p->pid;
	m.mm.flags = delta ? PROTOCOL_MM_DELTA : 0;
	m.mm.pgd = p->pgd;
	memcpy(m.mm.comm, p->stat.comm, sizeof(m.mm.comm));
	stream_put(a->stream, &m);
}

/*
 * Sends what the host does not know of the process.  0, or -errno: the process
 * has ended or can't be read, so it is not marked as seen.
 */
static int report_process(struct agent *a, pid_t pid, bool full)
{
	struct proc_snapshot now = { 0 };
	struct proc_stat st;
	struct process *p;
	uint64_t pgd = pgds_find(&a->pgds, pid);
	bool same_process;
	int rc = proc_read_stat(pid, &st);

	if (rc)
		return rc;
	/* Kernel threads and zombies. */
	if (!st.nr_bytes)
		return -ESRCH;
	p = get_process(a, pid);
	if (!p)
		return -ENOMEM;
	/* exec() makes a new address space, hence a new page table. */
	same_process = p->reported && p->stat.start_time == st.start_time &&
		       !strcmp(p->stat.comm, st.comm) && p->pgd == pgd;
	if (same_process && !full && p->stat.signature == st.signature) {
		p->seen = a->epoch;
		a->nr_unchanged++;
		return 0;
	}
	a->nr_examined++;
	rc = proc_read_regions(pid, &now);
	if (!rc && now.nr_regions)
		rc = frames_read_runs(&a->frames, pid, &now);
	if (rc) {
		proc_snapshot_free(&now);
		return rc;
	}
	p->seen = a->epoch;
	p->pgd = pgd;
	/* No regions: the process has just ended. */
	if (now.nr_regions || p->reported) {
		p->stat = st;
		put_mm(a, p, same_process && !full);
		if (same_process && !full)
			delta_put(a->stream, &p->sent, &now);
		else
			delta_put_all(a->stream, &now);
		put_pid(a, PROTOCOL_MM_END, pid);
		p->reported = true;
	}
	p->stat = st;
	proc_snapshot_free(&p->sent);
	p->sent = now;
	return 0;
}

/* Processes not seen in this epoch have ended. */
static void forget_gone(struct agent *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->nr; i++) {
		struct process *p = &a->processes[i];

		if (p->seen == a->epoch) {
			a->processes[kept++] = *p;
			continue;
		}
		if (p->reported)
			put_pid(a, PROTOCOL_FORGET, p->pid);
		proc_snapshot_free(&p->sent);
	}
	a->nr = kept;
}

static void put_epoch(struct agent *a, enum protocol_type type, bool full)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.epoch.number = a->epoch;
	m.epoch.flags = full ? PROTOCOL_EPOCH_FULL : 0;
	stream_put(a->stream, &m);
}

static void put_pressure(struct agent *a)
{
	struct protocol_message m;

	memset(&m, 0, sizeof(m));
	m.type = PROTOCOL_PRESSURE;
	if (!proc_read_pressure(&m.pressure, &a->has_psi))
		stream_put(a->stream, &m);
}

int agent_epoch(struct agent *a, bool with_flags)
{
	bool full = a->epoch % FULL_EVERY == 0;
	struct dirent *de;
	DIR *proc;

	a->epoch++;
	a->nr_examined = a->nr_unchanged = 0;
	put_epoch(a, PROTOCOL_EPOCH_BEGIN, full);
	put_pressure(a);
	/*
	 * Before the processes: the host needs the flags of the frames that
	 * these map.
	 */
	if (with_flags || full)
		frames_send_flags(&a->frames, a->stream, full);
	/*
	 * Right before the processes: one that starts after this is sent
	 * without its page table root.
	 */
	pgds_read(&a->pgds);
	proc = opendir("/proc");
	while (proc && (de = readdir(proc)) && !a->stream->error) {
		char *end;
		long pid = strtol(de->d_name, &end, 10);

		if (pid > 0 && !*end)
			report_process(a, pid, full);
	}
	if (proc)
		closedir(proc);
	forget_gone(a);
	put_epoch(a, PROTOCOL_EPOCH_END, false);
	return stream_flush(a->stream);
}
