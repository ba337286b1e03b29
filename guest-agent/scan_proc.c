// SPDX-License-Identifier: GPL-2.0-or-later
/* One process: its regions and, where we may see frame numbers, its pages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "guest-agent/agent.h"

#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_PFN	   ((UINT64_C(1) << 55) - 1)
#define PM_BATCH   4096

void picture_free(struct proc_picture *p)
{
	free(p->vmas);
	free(p->runs);
	*p = (struct proc_picture){ 0 };
}

static int grow(void *arrayp, size_t *cap, size_t nr, size_t size)
{
	void *p, **array = arrayp;

	if (nr < *cap)
		return 0;
	p = reallocarray(*array, *cap ? 2 * *cap : 32, size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*cap = *cap ? 2 * *cap : 32;
	return 0;
}

static ssize_t read_proc(uint32_t pid, const char *name, char *buf, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = 0;
	close(fd);
	return n;
}

int proc_read_stamp(uint32_t pid, struct proc_stamp *s, char comm[16])
{
	char buf[1024], *open_, *close_;
	ssize_t n = read_proc(pid, "stat", buf, sizeof(buf));

	if (n <= 0)
		return -ESRCH;
	open_ = strchr(buf, '(');
	close_ = strrchr(buf, ')');	/* a name may have any character */
	if (!open_ || !close_ || close_ < open_)
		return -ESRCH;
	memset(comm, 0, 16);
	n = close_ - open_ - 1;
	memcpy(comm, open_ + 1, n > 15 ? 15 : n);
	if (memchr(comm, 0, 16) != comm + strlen(comm))
		return -ESRCH;
	if (sscanf(close_ + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64
		   " %*u %" SCNu64 " %*u %*u %*u %*d %*d %*d %*d %*d %*d %"
		   SCNu64, &s->minflt, &s->majflt, &s->starttime) != 3)
		return -ESRCH;
	n = read_proc(pid, "statm", buf, sizeof(buf));
	if (n <= 0 || sscanf(buf, "%" SCNu64 " %" SCNu64 " %" SCNu64,
			     &s->size, &s->rss, &s->shared) != 3)
		return -ESRCH;
	return s->size ? 0 : -ENOENT;
}

static int parse_vma(const char *line, struct protocol_vma *v)
{
	unsigned int maj, min;
	uint64_t offset;
	char prot[5], name[32] = "";

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
		   " %x:%x %" SCNu64 " %31s", &v->start, &v->end, prot,
		   &offset, &maj, &min, &v->inode, name) < 7)
		return -EINVAL;
	if (v->end > PROTOCOL_MAX_ADDR)
		return -ERANGE;		/* [vsyscall] */
	v->dev = makedev(maj, min);
	v->pgoff = offset / PROTOCOL_PAGE_SIZE;
	v->op = PROTOCOL_VMA_NEW;
	v->flags = (prot[0] == 'r' ? PROTOCOL_VM_READ : 0) |
		   (prot[1] == 'w' ? PROTOCOL_VM_WRITE : 0) |
		   (prot[2] == 'x' ? PROTOCOL_VM_EXEC : 0) |
		   (prot[3] == 's' ? PROTOCOL_VM_SHARED : 0) |
		   (!strcmp(name, "[stack]") ? PROTOCOL_VM_STACK : 0) |
		   (!strcmp(name, "[heap]") ? PROTOCOL_VM_HEAP : 0);
	return 0;
}

static int read_maps(uint32_t pid, struct proc_picture *p)
{
	char path[64], *line = NULL;
	size_t len = 0;
	int rc = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!rc && getline(&line, &len, f) > 0) {
		struct proc_vma vma = { 0 };
		/* maps is read in pieces: a region may have moved between. */
		uint64_t floor = p->nr_vmas ?
				 p->vmas[p->nr_vmas - 1].v.end : 0;

		if (parse_vma(line, &vma.v) || vma.v.start < floor)
			continue;
		rc = grow(&p->vmas, &p->cap_vmas, p->nr_vmas, sizeof(vma));
		if (!rc)
			p->vmas[p->nr_vmas++] = vma;
	}
	free(line);
	fclose(f);
	return rc;
}

static int add_page(struct proc_picture *p, struct proc_vma *vma,
		    uint64_t addr, uint64_t gfn)
{
	struct protocol_run *r = vma->nr_runs ? &p->runs[p->nr_runs - 1] : NULL;
	int rc;

	if (r && r->gfn + r->count == gfn && r->count < UINT32_MAX &&
	    r->vaddr + (uint64_t)r->count * PROTOCOL_PAGE_SIZE == addr) {
		r->count++;
		return 0;
	}
	rc = grow(&p->runs, &p->cap_runs, p->nr_runs, sizeof(*r));
	if (rc)
		return rc;
	p->runs[p->nr_runs++] = (struct protocol_run){ addr, gfn, 1, 0 };
	vma->nr_runs++;
	return 0;
}

static int read_pages(int fd, uint64_t nr_frames, struct proc_picture *p,
		      struct proc_vma *vma)
{
	static uint64_t entries[PM_BATCH];
	uint64_t page = vma->v.start / PROTOCOL_PAGE_SIZE;
	uint64_t end = vma->v.end / PROTOCOL_PAGE_SIZE;

	vma->first_run = p->nr_runs;
	while (page < end) {
		size_t want = end - page < PM_BATCH ? end - page : PM_BATCH;
		ssize_t n = pread(fd, entries, want * 8, page * 8);

		if (n < 8)
			return n < 0 ? -errno : 0;
		n /= 8;
		for (ssize_t i = 0; i < n; i++) {
			uint64_t gfn = entries[i] & PM_PFN;
			int rc;

			if (!(entries[i] & PM_PRESENT) || !gfn ||
			    gfn >= nr_frames)
				continue;
			rc = add_page(p, vma, (page + i) * PROTOCOL_PAGE_SIZE,
				      gfn);
			if (rc)
				return rc;
		}
		page += n;
	}
	return 0;
}

int proc_scan(uint32_t pid, uint64_t nr_frames, struct proc_picture *p)
{
	struct proc_picture now = { 0 };
	char path[64];
	int rc, fd;

	rc = read_maps(pid, &now);
	snprintf(path, sizeof(path), "/proc/%u/pagemap", pid);
	fd = rc ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && !rc && i < now.nr_vmas; i++)
		rc = read_pages(fd, nr_frames, &now, &now.vmas[i]);
	if (fd >= 0)
		close(fd);
	if (rc) {
		picture_free(&now);
		return rc;
	}
	*p = now;
	return 0;
}
