// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory of another process that is in files.  /proc/PID/map_files opens
 * the file mapped at an address, even if it has no name.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/cleanup.h"

/* The mapping that contains a given address of the process. */
struct mapping {
	uint64_t start, end, offset;
	bool is_file;		/* a shared mapping of a file */
};

static int find_mapping(pid_t pid, uint64_t hva, struct mapping *m)
{
	__cleanup_fclose FILE *f = NULL;
	__cleanup_free char *line = NULL;
	char path[40], perms[5];
	unsigned long inode;
	size_t cap = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (getline(&line, &cap, f) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %*s %lu", &m->start, &m->end, perms, &m->offset,
			   &inode) != 5 || hva < m->start || hva >= m->end)
			continue;
		m->is_file = inode && perms[3] == 's';
		return 0;
	}
	return -ENOENT;
}

/* Opens a slot's file, if it has one, and maps the slot's part of it. */
static int open_slot(struct guest_mem *mem, unsigned int i)
{
	const struct guest_memslot *s = &mem->slots[i];
	uint64_t bytes = s->nr_pages << VMM_PAGE_SHIFT;
	struct remote_file *file = &mem->remote[i];
	struct mapping m;
	char path[96];
	void *map;
	int rc = find_mapping(mem->pid, s->hva, &m);

	if (rc || !m.is_file || guest_mem_is_hugetlb(mem))
		return rc;
	if (s->hva + bytes > m.end)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)mem->pid, m.start, m.end);
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return -errno;
	file->offset = m.offset + (s->hva - m.start);
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE,
		   file->fd, file->offset);
	if (map == MAP_FAILED)
		return -errno;
	file->map = map;
	madvise(map, bytes, MADV_DONTFORK);
	return 0;
}

int remote_open(struct guest_mem *mem)
{
	int rc = 0;

	mem->remote = calloc(mem->nr_slots, sizeof(*mem->remote));
	if (!mem->remote)
		return -ENOMEM;
	for (unsigned int i = 0; i < mem->nr_slots; i++)
		mem->remote[i].fd = -1;
	for (unsigned int i = 0; !rc && i < mem->nr_slots; i++)
		rc = open_slot(mem, i);
	return rc;
}

void remote_close(struct guest_mem *mem)
{
	for (unsigned int i = 0; mem->remote && i < mem->nr_slots; i++) {
		const struct remote_file *file = &mem->remote[i];

		if (file->map)
			munmap(file->map, mem->slots[i].nr_pages <<
			       VMM_PAGE_SHIFT);
		if (file->fd >= 0)
			close(file->fd);
	}
	free(mem->remote);
}
