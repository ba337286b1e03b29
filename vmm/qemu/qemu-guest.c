// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/kmod/kvm-young-abi.h"
#include "vmm/mem/proc-maps.h"
#include "vmm/qemu/qemu-guest.h"
#include "vmm/qemu/qemu-layout.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/small-file.h"

#define MAX_CMDLINE (1u << 20)
#define HOLE_END    (UINT64_C(4) << 30)	/* of the hole in RAM for devices */
#define MIN_VMA	    (UINT64_C(1) << 20)

/* Whether the monitor lists this name (pc.ram, /objects/d0) as a backend. */
static bool is_backend(const char *name, void *arg)
{
	const char *id, *last = strrchr(name, '/');
	json_t *e;
	size_t i;

	json_array_foreach((json_t *)arg, i, e) {
		id = json_string_value(json_object_get(e, "id"));
		if (id && (!strcmp(id, name) || (last && !strcmp(id, last + 1))))
			return true;
	}
	return false;
}

static int find_hva(struct qmp *qmp, const struct qemu_region *r, uint64_t *hva,
		    char *why, size_t len)
{
	__cleanup_free char *text = NULL;
	char line[48];
	int rc;

	snprintf(line, sizeof(line), "gpa2hva 0x%" PRIx64, r->gpa);
	rc = qmp_human(qmp, line, &text, why, len);
	if (rc)
		return rc;
	if (qemu_layout_hva(text, hva))
		return 0;
	snprintf(why, len, "QEMU does not report the host address of guest "
		 "address 0x%" PRIx64 ": %s",
		 r->gpa, text);
	return -EPROTO;
}

static int by_monitor(struct qmp *qmp, struct qemu_memory *m, char *why,
		      size_t len)
{
	__cleanup_free struct qemu_region *regions =
		calloc(QEMU_MAX_REGIONS, sizeof(*regions));
	__cleanup_free char *text = NULL;
	json_t *backends = NULL;
	int nr = 0, rc = regions ? 0 : -ENOMEM;

	if (!rc)
		rc = qmp_command(qmp, "query-memdev", &backends, why, len);
	if (!rc)
		rc = qmp_human(qmp, "info mtree -f", &text, why, len);
	if (!rc) {
		nr = qemu_layout_mtree(text, is_backend, backends, regions);
		rc = nr < 0 ? nr : 0;
		if (rc)
			snprintf(why, len, "cannot parse QEMU's list of guest "
				 "memory (info mtree -f): %s", error_text(-rc));
	}
	for (int i = 0; !rc && i < nr; i++) {
		struct guest_memslot *s = &m->slots[m->nr++];

		s->base = GFN(regions[i].gpa >> VMM_PAGE_SHIFT);
		s->nr_pages = regions[i].bytes >> VMM_PAGE_SHIFT;
		m->bytes += regions[i].bytes;
		rc = find_hva(qmp, &regions[i], &s->hva, why, len);
	}
	json_decref(backends);
	return rc;
}

/* Sets *words, which the caller frees.  Returns its length, or -errno. */
static ssize_t read_cmdline(pid_t pid, char **words)
{
	__cleanup_close int fd = -1;
	char path[40];
	ssize_t n, used = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*words = malloc(MAX_CMDLINE);
	if (!*words)
		return -ENOMEM;
	while (used < MAX_CMDLINE &&
	       (n = read(fd, *words + used, MAX_CMDLINE - used)) > 0)
		used += n;
	return used;
}

static void add_slot(struct qemu_memory *m, uint64_t gpa, uint64_t bytes,
		     uint64_t hva)
{
	struct guest_memslot slot = {
		GFN(gpa >> VMM_PAGE_SHIFT), bytes >> VMM_PAGE_SHIFT, hva
	};
	unsigned int i = m->nr++;

	for (; i && m->slots[i - 1].base.v > slot.base.v; i--)
		m->slots[i] = m->slots[i - 1];
	m->slots[i] = slot;
	m->bytes += bytes;
}

/*
 * Whether the plugged parts are of whole pages, above the initial RAM, and do
 * not overlap: slots must not.  libvirt and QEMU ensure the rest.
 */
static bool is_plausible(const struct qemu_part *parts, unsigned int nr,
			 uint64_t low)
{
	uint64_t end = parts[0].bytes > low ?
		HOLE_END + parts[0].bytes - low : low;

	for (unsigned int i = 1; i < nr; i++) {
		const struct qemu_part *p = &parts[i];

		if (!p->bytes || (p->gpa | p->bytes) % VMM_PAGE_SIZE ||
		    p->gpa < end || p->gpa + p->bytes < p->gpa)
			return false;
		for (unsigned int j = 1; j < i; j++)
			if (p->gpa < parts[j].gpa + parts[j].bytes &&
			    parts[j].gpa < p->gpa + p->bytes)
				return false;
	}
	return true;
}

/*
 * parts[0] is the initial RAM: an error if not found.  Others not found are
 * left out and counted as missing.  low: bytes of initial RAM below the hole.
 */
static int add_parts(pid_t pid, struct qemu_memory *m,
		     const struct qemu_part *parts, unsigned int nr,
		     uint64_t low, char *why, size_t len)
{
	const struct qemu_part *ram = &parts[0];

	if (!ram->hva) {
		snprintf(why, len, "process %d has %s mapping of %" PRIu64 " "
			 "MiB, the guest memory size on its command line: give "
			 "its monitor with --qmp", (int)pid,
			 ram->several ? "more than one" : "no",
			 ram->bytes >> 20);
		return ram->several ? -ENOTUNIQ : -ENOENT;
	}
	if (!is_plausible(parts, nr, low)) {
		snprintf(why, len, "libvirt reports plugged memory at an "
			 "address where there cannot be any");
		return -EPROTO;
	}
	add_slot(m, 0, ram->bytes < low ? ram->bytes : low, ram->hva);
	if (ram->bytes > low)
		add_slot(m, HOLE_END, ram->bytes - low, ram->hva + low);
	for (unsigned int i = 1; i < nr; i++) {
		if (parts[i].hva)
			add_slot(m, parts[i].gpa, parts[i].bytes,
				 parts[i].hva);
		else
			m->missing_bytes += parts[i].bytes;
	}
	return 0;
}

/* The host virtual address of the part according to KVM; 0: unknown. */
static uint64_t hva_by_kvm(int device, int vm_fd, uint64_t gpa)
{
	struct kvm_young_find req = {
		.size = sizeof(req), .vm_fd = vm_fd,
		.gfn = gpa >> VMM_PAGE_SHIFT,
	};

	return device < 0 || vm_fd < 0 || ioctl(device, KVM_YOUNG_FIND, &req) ?
		       0 : req.hva;
}

/* The part's host virtual address in the previous result; 0: unknown. */
static uint64_t known_hva(const struct qemu_memory *m, uint64_t gpa)
{
	for (unsigned int i = 0; m && i < m->nr; i++)
		if (m->slots[i].base.v == gpa >> VMM_PAGE_SHIFT)
			return m->slots[i].hva;
	return 0;
}

static int by_cmdline(pid_t pid, const struct qemu_hints *h,
		      struct qemu_memory *m, char *why, size_t len)
{
	__cleanup_free char *words = NULL;
	__cleanup_free struct proc_vma *vmas = NULL;
	__cleanup_close int device = open(KVM_YOUNG_PATH, O_RDWR | O_CLOEXEC);
	struct qemu_part parts[QEMU_MAX_PARTS + 1] = { 0 };
	unsigned int nr_parts = 1 + h->nr_plugged;
	uint64_t low;
	ssize_t n = read_cmdline(pid, &words);
	int rc, nr;

	if (n < 0) {
		snprintf(why, len, "cannot read the command line of process "
			 "%d: %s", (int)pid, error_text(-n));
		return n;
	}
	rc = qemu_layout_cmdline(words, n, &parts[0].bytes, &low, why, len);
	if (rc)
		return rc;
	nr = proc_maps_read(pid, MIN_VMA, false, &vmas);
	if (nr < 0) {
		snprintf(why, len, "cannot read the mappings of process %d: %s",
			 (int)pid,
			 error_text(-nr));
		return nr;
	}
	for (unsigned int i = 1; i < nr_parts; i++)
		parts[i] = h->plugged[i - 1];
	for (unsigned int i = 0; i < nr_parts; i++) {
		parts[i].hva = hva_by_kvm(device, h->vm_fd, parts[i].gpa);
		if (!parts[i].hva)
			parts[i].hva = known_hva(h->before, parts[i].gpa);
	}
	qemu_place(parts, nr_parts, vmas, nr);
	return add_parts(pid, m, parts, nr_parts, low, why, len);
}

/* The kernel may use huge pages on request; QEMU always requests them. */
static bool has_huge_pages(void)
{
	char line[64];

	return !small_file_line("/sys/kernel/mm/transparent_hugepage/enabled",
				line, sizeof(line)) &&
	       !strstr(line, "[never]");
}

static enum guest_mem_backing backing_of(const struct proc_vma *v)
{
	if (v->page_bytes >= UINT64_C(1) << 30)
		return GUEST_MEM_HUGETLB_1G;
	if (v->page_bytes > VMM_PAGE_SIZE)
		return GUEST_MEM_HUGETLB;
	if (v->is_file)
		return v->shared ? GUEST_MEM_MEMFD : GUEST_MEM_ANON;
	return has_huge_pages() ? GUEST_MEM_THP : GUEST_MEM_ANON;
}

/*
 * 1: found, and *backing is set; 0: nothing is mapped there; or -errno.
 * details: as for proc_maps_read(); slow, for where the quick way fails.
 */
static int find_backing(pid_t pid, uint64_t hva, bool details,
			enum guest_mem_backing *backing)
{
	__cleanup_free struct proc_vma *vmas = NULL;
	int nr = proc_maps_read(pid, VMM_PAGE_SIZE, details, &vmas), rc;

	for (int i = 0; i < nr; i++) {
		if (hva < vmas[i].start || hva >= vmas[i].end)
			continue;
		rc = details ? 0 : proc_maps_page_bytes(pid, &vmas[i]);
		if (rc)
			return rc;
		*backing = backing_of(&vmas[i]);
		return 1;
	}
	return nr < 0 ? nr : 0;
}

/* The backing of the largest slot: all backends of one guest are alike. */
int qemu_guest_backing(pid_t pid, struct qemu_memory *m, char *why, size_t len)
{
	const struct guest_memslot *s = &m->slots[0];
	int rc;

	for (unsigned int i = 1; i < m->nr; i++)
		if (m->slots[i].nr_pages > s->nr_pages)
			s = &m->slots[i];
	rc = find_backing(pid, s->hva, false, &m->backing);
	if (rc < 0)
		rc = find_backing(pid, s->hva, true, &m->backing);
	if (rc > 0)
		return 0;
	snprintf(why, len, "process %d has no mapping at the address of its "
		 "guest memory", (int)pid);
	return rc < 0 ? rc : -ENOENT;
}

int qemu_guest_memory(pid_t pid, const struct qemu_hints *hints,
		      struct qemu_memory *m, char *why, size_t len)
{
	memset(m, 0, sizeof(*m));
	return hints->qmp ? by_monitor(hints->qmp, m, why, len) :
			    by_cmdline(pid, hints, m, why, len);
}

bool qemu_memory_equal(const struct qemu_memory *a, const struct qemu_memory *b)
{
	if (a->nr != b->nr)
		return false;
	for (unsigned int i = 0; i < a->nr; i++)
		if (a->slots[i].base.v != b->slots[i].base.v ||
		    a->slots[i].nr_pages != b->slots[i].nr_pages ||
		    a->slots[i].hva != b->slots[i].hva)
			return false;
	return true;
}

pid_t qemu_guest_find(const char *uuid)
{
	const struct dirent *e;
	DIR *dir = opendir("/proc");
	pid_t found = -ENOENT;

	if (!dir)
		return -errno;
	while (found < 0 && (e = readdir(dir))) {
		__cleanup_free char *words = NULL;
		const char *has;
		ssize_t n;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		n = read_cmdline(atoi(e->d_name), &words);
		if (n <= 0 || !memchr(words, '\0', n) || !strstr(words, "qemu"))
			continue;
		has = qemu_layout_option(words, n, "-uuid");
		if (has && !strcasecmp(has, uuid))
			found = atoi(e->d_name);
	}
	closedir(dir);
	return found;
}

void qemu_guest_name(pid_t pid, char *name, size_t len)
{
	__cleanup_free char *words = NULL;
	ssize_t n = read_cmdline(pid, &words);
	const char *text = n > 0 ? qemu_layout_option(words, n, "-name") : NULL;

	if (text && !strncmp(text, "guest=", 6))
		text += 6;
	if (text && strcspn(text, ",") && text[0] != '.')
		snprintf(name, len, "%.*s", (int)strcspn(text, ","), text);
	else
		snprintf(name, len, "qemu-%d", (int)pid);
	for (; *name; name++)
		if (*name == '/')
			*name = '_';
}

static bool is_one_of(const char *word, const char *const *words)
{
	while (word && *words && strcmp(word, *words))
		words++;
	return word && *words;
}

/* Copies the "status" in the answer to a query; "" if there is none. */
static int query_status(struct qmp *qmp, const char *query, char *buf,
			size_t buf_len, char *why, size_t len)
{
	json_t *ret = NULL;
	const char *status;
	int rc = qmp_command(qmp, query, &ret, why, len);

	/* Without "status" there was no migration yet. */
	status = rc ? NULL : json_string_value(json_object_get(ret, "status"));
	snprintf(buf, buf_len, "%s", status ? status : "");
	json_decref(ret);
	return rc;
}

int qemu_guest_migration(struct qmp *qmp, enum qemu_migration *m, char *why,
			 size_t len)
{
	/*
	 * A completed outgoing migration leaves the guest in one of these
	 * states.
	 */
	static const char *const left[] = {
		"postmigrate", "finish-migrate", "save-vm", NULL,
	};
	static const char *const under_way[] = {
		"setup", "active", "device", "pre-switchover", "cancelling",
		"postcopy-active", "postcopy-paused", "postcopy-recover",
		"wait-unplug", NULL,
	};
	char run[32], migration[32];
	int rc = query_status(qmp, "query-status", run, sizeof(run), why, len);

	if (!rc)
		rc = query_status(qmp, "query-migrate", migration,
				  sizeof(migration), why, len);
	if (rc)
		return rc;
	if (!strcmp(run, "inmigrate"))
		*m = QEMU_MIGRATION_INCOMING;
	else if (is_one_of(run, left) || is_one_of(migration, under_way))
		*m = QEMU_MIGRATION_OUTGOING;
	else
		*m = QEMU_MIGRATION_NONE;
	return 0;
}
