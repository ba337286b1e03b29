// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc/PID/stat, maps, smaps; /proc/meminfo and pressure: proc(5). */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define PAGE_SHIFT 12

ssize_t proc_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = 0;
	close(fd);
	return n;
}

static uint64_t mix(uint64_t hash, uint64_t v)
{
	hash ^= v;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

int proc_read_stat(pid_t pid, struct proc_stat *st)
{
	unsigned long long minflt, majflt, start, vsize, rss;
	char path[64], buf[1024], *open_paren, *close_paren;
	ssize_t n;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = proc_read_file(path, buf, sizeof(buf));
	if (n < 0)
		return n;
	/* The command may contain anything: it ends at the last parenthesis. */
	open_paren = strchr(buf, '(');
	close_paren = strrchr(buf, ')');
	if (!open_paren || !close_paren ||
	    sscanf(close_paren + 1, " %*c %*d %*d %*d %*d %*d %*u %llu %*u "
		   "%llu %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %llu %llu",
		   &minflt, &majflt, &start, &vsize, &rss) != 5)
		return -EIO;
	memset(st->comm, 0, sizeof(st->comm));
	len = close_paren - open_paren - 1;
	memcpy(st->comm, open_paren + 1,
	       len < sizeof(st->comm) ? len : sizeof(st->comm) - 1);
	st->start_time = start;
	st->nr_bytes = vsize;
	st->signature = mix(mix(mix(mix(1, minflt), majflt), vsize), rss);
	return 0;
}

int array_grow(void **array, size_t nr, size_t *max, size_t size)
{
	size_t bigger = *max ? *max * 2 : 32;
	void *p;

	if (nr < *max)
		return 0;
	p = realloc(*array, bigger * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*max = bigger;
	return 0;
}

void proc_snapshot_free(struct proc_snapshot *snap)
{
	free(snap->regions);
	free(snap->runs);
	memset(snap, 0, sizeof(*snap));
}

/* Pages of the kernel that every process maps: not the process's memory. */
static bool is_kernel_mapping(const char *name)
{
	return !strncmp(name, "[vvar", 5) || !strncmp(name, "[vdso", 5) ||
	       !strncmp(name, "[vsyscall", 9);
}

/*
 * Parses a line of maps, or the first line of an entry of smaps.  False: not
 * such a line, or a region that is not sent.
 */
static bool parse_region(const char *line, struct region *r)
{
	unsigned int major, minor;
	uint64_t offset;
	char perm[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %"
		   SCNu64 " %n", &r->start, &r->end, perm, &offset, &major,
		   &minor, &r->inode, &at) < 7 || !at)
		return false;
	r->flags = (perm[0] == 'r' ? PROTOCOL_VM_READ : 0) |
		   (perm[1] == 'w' ? PROTOCOL_VM_WRITE : 0) |
		   (perm[2] == 'x' ? PROTOCOL_VM_EXEC : 0) |
		   (perm[3] == 's' ? PROTOCOL_VM_SHARED : 0);
	if (!strncmp(line + at, "[heap]", 6))
		r->flags |= PROTOCOL_VM_HEAP;
	else if (!strncmp(line + at, "[stack]", 7))
		r->flags |= PROTOCOL_VM_STACK;
	r->dev = r->inode ? (uint64_t)major << 20 | minor : 0;
	/* Anonymous memory uses its address as its offset: see rmap(3). */
	r->pgoff = (r->inode ? offset : r->start) >> PAGE_SHIFT;
	r->first_run = r->nr_runs = 0;
	return r->start < r->end && r->end <= PROTOCOL_MAX_ADDR &&
	       !is_kernel_mapping(line + at);
}

/*
 * Whether the process has locked memory: only then is smaps read, which is
 * slow.  /proc/PID/status is read by lines, as its list of groups, which
 * precedes VmLck, can be longer than any fixed buffer.
 */
static bool has_locked(pid_t pid)
{
	char path[64], *line = NULL;
	bool locked = false;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (getline(&line, &size, f) > 0) {
		if (strncmp(line, "VmLck:", 6))
			continue;
		locked = strtoull(line + 6, NULL, 10) > 0;
		break;
	}
	free(line);
	fclose(f);
	return locked;
}

int proc_read_regions(pid_t pid, struct proc_snapshot *snap)
{
	bool locked = has_locked(pid), in_region = false;
	char path[64], *line = NULL;
	size_t size = 0;
	struct region r;
	int rc = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid,
		 locked ? "smaps" : "maps");
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!rc && getline(&line, &size, f) > 0) {
		if (locked && line[0] >= 'A' && line[0] <= 'Z') {
			if (in_region && !strncmp(line, "VmFlags:", 8) &&
			    strstr(line, " lo"))
				snap->regions[snap->nr_regions - 1].flags |=
					PROTOCOL_VM_LOCKED;
			continue;
		}
		in_region = parse_region(line, &r);
		if (!in_region)
			continue;
		/* The kernel may list a region twice if it grew meanwhile. */
		if (snap->nr_regions &&
		    r.start < snap->regions[snap->nr_regions - 1].end) {
			in_region = false;
			continue;
		}
		rc = array_grow((void **)&snap->regions, snap->nr_regions,
				&snap->max_regions, sizeof(r));
		if (!rc)
			snap->regions[snap->nr_regions++] = r;
	}
	free(line);
	fclose(f);
	return rc;
}

uint64_t proc_number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

uint64_t proc_bytes(const char *text, const char *key)
{
	return proc_number(text, key) << 10;
}

static void parse_psi(const char *text, const char *kind, uint32_t *avg10,
		      uint64_t *total)
{
	const char *at = strstr(text, kind);
	unsigned int whole, hundredths;
	unsigned long long t;

	if (at && sscanf(at + strlen(kind), " avg10=%u.%2u avg60=%*s "
			 "avg300=%*s total=%llu", &whole, &hundredths, &t) == 3) {
		*avg10 = whole * 100 + hundredths;
		*total = t;
	}
}

int proc_read_pressure(struct protocol_pressure *p, bool *has_psi)
{
	char buf[16384];
	ssize_t n = proc_read_file("/proc/meminfo", buf, sizeof(buf));

	memset(p, 0, sizeof(*p));
	if (n < 0)
		return n;
	p->mem_total = proc_bytes(buf, "MemTotal:");
	p->mem_free = proc_bytes(buf, "MemFree:");
	p->mem_available = proc_bytes(buf, "MemAvailable:");
	p->cached = proc_bytes(buf, "\nCached:");
	p->dirty = proc_bytes(buf, "Dirty:");
	p->clean_cache = cache_clean_bytes(buf);
	*has_psi = proc_read_file("/proc/pressure/memory", buf, sizeof(buf)) > 0;
	if (*has_psi) {
		parse_psi(buf, "some", &p->some_avg10, &p->some_total_us);
		parse_psi(buf, "full", &p->full_avg10, &p->full_total_us);
	}
	if (proc_read_file("/proc/vmstat", buf, sizeof(buf)) > 0) {
		p->nr_refaults_file = proc_number(buf,
						  "\nworkingset_refault_file ");
		p->nr_refaults_anon = proc_number(buf,
						  "\nworkingset_refault_anon ");
	}
	return 0;
}
