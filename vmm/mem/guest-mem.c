// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One mapping of host memory is cut into the guest's slots:
 *
 *   gpa   0          3 GiB      4 GiB            4 GiB + rest
 *         |-- slot 0 --|  hole    |---- slot 1 ----|
 *   hva   |-- slot 0 --|---- slot 1 ----|
 *
 * Slots begin at multiples of 2 MiB in both, and in the file behind them.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/bitmap.h"

#define HOLE_START (UINT64_C(3) << 30)
#define HOLE_END   (UINT64_C(4) << 30)
#define ALIGN_BYTES (UINT64_C(2) << 20)

static void add_slot(struct guest_mem *mem, uint64_t gpa, uint64_t nr_bytes,
		     uint8_t *hva)
{
	mem->slots[mem->nr_slots++] = (struct guest_memslot){
		.base = gpa_to_gfn(GPA(gpa)),
		.nr_pages = nr_bytes >> VMM_PAGE_SHIFT,
		.hva = (uintptr_t)hva,
	};
}

/* The kernel aligns the mapping's address to the hugetlb page size. */
static int map_hugetlb(struct guest_mem *mem, uint64_t nr_bytes)
{
	mem->fd = hugetlb_open(mem->backing, nr_bytes);
	if (mem->fd < 0)
		return mem->fd;
	mem->map_bytes = nr_bytes;
	mem->map = mmap(NULL, nr_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			mem->fd, 0);
	return mem->map == MAP_FAILED ? -errno : hugetlb_fill(mem->fd, nr_bytes);
}

/* Where no tmpfs can be mounted, shmem_enabled decides about huge pages. */
static int open_file(struct guest_mem *mem, uint64_t nr_bytes)
{
	if (mem->backing == GUEST_MEM_MEMFD_THP)
		mem->fd = huge_file_new(nr_bytes);
	if (mem->fd >= 0)
		return 0;
	mem->fd = memfd_create("guest-memory", MFD_CLOEXEC);
	return mem->fd < 0 || ftruncate(mem->fd, nr_bytes) ? -errno : 0;
}

/*
 * Addresses for nr_bytes, aligned to huge pages: a page can be huge only where
 * it is so in the guest, in the file and at its address.  NULL: there are none.
 */
static void *reserve_addresses(uint64_t nr_bytes)
{
	uint8_t *all = mmap(NULL, nr_bytes + ALIGN_BYTES, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (all == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)all & (ALIGN_BYTES - 1);
	if (before)
		munmap(all, before);
	munmap(all + before + nr_bytes, ALIGN_BYTES - before);
	return all + before;
}

/* Makes the memory and maps it.  Only hugetlb pages are allocated already. */
static int map_memory(struct guest_mem *mem, uint64_t nr_bytes)
{
	bool shared = guest_mem_is_shared(mem);
	void *at;
	int rc;

	if (guest_mem_is_hugetlb(mem))
		return map_hugetlb(mem, nr_bytes);
	rc = shared ? open_file(mem, nr_bytes) : 0;
	if (rc)
		return rc;
	at = reserve_addresses(nr_bytes);
	if (!at)
		return -errno;
	mem->map = at;
	mem->map_bytes = nr_bytes;
	at = mmap(at, nr_bytes, PROT_READ | PROT_WRITE, MAP_FIXED |
		  MAP_NORESERVE | (shared ? MAP_SHARED :
				   MAP_PRIVATE | MAP_ANONYMOUS), mem->fd, 0);
	return at == MAP_FAILED ? -errno : 0;
}

void guest_mem_advise_new(const struct guest_mem *mem, void *p, size_t len)
{
	/* This fails only if the kernel does not support huge pages. */
	madvise(p, len, guest_mem_has_thp(mem) ? MADV_HUGEPAGE :
		MADV_NOHUGEPAGE);
	madvise(p, len, MADV_DONTFORK);
}

int guest_mem_new(struct guest_mem **memp, uint64_t nr_bytes,
		  enum guest_mem_backing backing)
{
	uint64_t low, rounded = (nr_bytes + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
	struct guest_mem *mem;
	uint8_t *start;
	int rc;

	if (!nr_bytes)
		return -EINVAL;
	if (rounded < nr_bytes || rounded > SIZE_MAX - ALIGN_BYTES)
		return -ENOMEM;
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->map = MAP_FAILED;
	mem->fd = mem->pagemap_fd = mem->self_pidfd = mem->around_fd = -1;
	mem->backing = backing;
	rc = map_memory(mem, rounded);
	if (rc)
		goto err_free;
	start = mem->map;
	mem->file_hva = (uintptr_t)mem->map;
	guest_mem_advise_new(mem, start, rounded);
	mem->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (mem->pagemap_fd < 0) {
		rc = -errno;
		goto err_free;
	}
	low = rounded < HOLE_START ? rounded : HOLE_START;
	add_slot(mem, 0, low, start);
	if (rounded > low)
		add_slot(mem, HOLE_END, rounded - low, start + low);
	/* For a large guest this costs memory only for the parts used. */
	mem->pin_counts = calloc(guest_mem_nr_frames(mem),
				 sizeof(*mem->pin_counts));
	if (guest_mem_has_thp(mem))
		mem->has_holes = bitmap_new(guest_mem_nr_frames(mem) /
					    GUEST_MEM_HUGE_PAGES);
	if (!mem->pin_counts || (guest_mem_has_thp(mem) && !mem->has_holes)) {
		rc = -ENOMEM;
		goto err_free;
	}
	if (guest_mem_file(mem) >= 0)
		map_find_vectored(mem);
	*memp = mem;
	return 0;

err_free:
	guest_mem_free(mem);
	return rc;
}

static bool slots_are_good(const struct guest_memslot *slots, unsigned int nr)
{
	uint64_t end = 0;

	if (!nr || nr > GUEST_MEM_MAX_SLOTS)
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t next = slots[i].base.v + slots[i].nr_pages;

		/* x86 addresses have 52 bits. */
		if (slots[i].base.v < end || next <= slots[i].base.v ||
		    next > UINT64_C(1) << 40 ||
		    slots[i].hva & (VMM_PAGE_SIZE - 1))
			return false;
		end = next;
	}
	return true;
}

int guest_mem_attach(struct guest_mem **memp, pid_t pid,
		     const struct guest_memslot *slots, unsigned int nr,
		     enum guest_mem_backing backing)
{
	struct guest_mem *mem;
	char path[40];
	int rc;

	if (pid <= 0 || !slots_are_good(slots, nr))
		return -EINVAL;
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->map = MAP_FAILED;
	mem->fd = mem->self_pidfd = mem->around_fd = -1;
	mem->pid = pid;
	mem->backing = backing;
	mem->nr_slots = nr;
	memcpy(mem->slots, slots, nr * sizeof(*slots));
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	mem->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mem->pagemap_fd >= 0)
		rc = remote_open(mem);
	else
		rc = errno == ENOENT ? -ESRCH : -errno;
	if (rc) {
		guest_mem_free(mem);
		return rc;
	}
	*memp = mem;
	return 0;
}

void guest_mem_free(struct guest_mem *mem)
{
	if (!mem)
		return;
	free(mem->pin_counts);
	guest_mem_allow_fault_around(mem);
	remote_close(mem);
	free(mem->stale);
	free(mem->scratch);
	free(mem->mapped);
	if (mem->pagemap_fd >= 0)
		close(mem->pagemap_fd);
	if (mem->self_pidfd >= 0)
		close(mem->self_pidfd);
	if (mem->map != MAP_FAILED)
		munmap(mem->map, mem->map_bytes);
	if (mem->fd >= 0)
		close(mem->fd);
	free(mem->has_holes);
	free(mem->evicted);
	free(mem->lost);
	free(mem);
}

enum guest_mem_backing guest_mem_backing(const struct guest_mem *mem)
{
	return mem->backing;
}

uint64_t guest_mem_leaf_pages(const struct guest_mem *mem)
{
	if (guest_mem_is_hugetlb(mem))
		return hugetlb_page_bytes(mem->backing) >> VMM_PAGE_SHIFT;
	return guest_mem_has_thp(mem) ? ALIGN_BYTES >> VMM_PAGE_SHIFT : 1;
}

bool guest_mem_is_hugetlb(const struct guest_mem *mem)
{
	return hugetlb_page_bytes(mem->backing);
}

bool guest_mem_is_shared(const struct guest_mem *mem)
{
	return mem->backing == GUEST_MEM_MEMFD ||
	       mem->backing == GUEST_MEM_MEMFD_THP;
}

bool guest_mem_has_thp(const struct guest_mem *mem)
{
	return mem->backing == GUEST_MEM_THP ||
	       mem->backing == GUEST_MEM_MEMFD_THP;
}

static const struct guest_memslot *find_slot(const struct guest_mem *mem,
					     gfn_t gfn)
{
	for (unsigned int i = 0; i < mem->nr_slots; i++) {
		const struct guest_memslot *s = &mem->slots[i];

		if (gfn.v >= s->base.v && gfn.v - s->base.v < s->nr_pages)
			return s;
	}
	return NULL;
}

void *guest_mem_ptr(const struct guest_mem *mem, gpa_t gpa, size_t len)
{
	const struct guest_memslot *s = find_slot(mem, gpa_to_gfn(gpa));
	uint64_t off;

	if (!s || !len || mem->pid)
		return NULL;
	off = gpa.v - gfn_to_gpa(s->base).v;
	if (len > (s->nr_pages << VMM_PAGE_SHIFT) - off)
		return NULL;
	return (void *)(uintptr_t)(s->hva + off);
}

/*
 * In the layout of guest_mem_new() slots are never adjacent, so a range of RAM
 * is in one slot.
 */
int guest_mem_write(struct guest_mem *mem, gpa_t gpa, const void *buf,
		    size_t len)
{
	void *p = guest_mem_ptr(mem, gpa, len);

	if (!len)
		return 0;
	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}

uint64_t guest_mem_nr_frames(const struct guest_mem *mem)
{
	const struct guest_memslot *last = &mem->slots[mem->nr_slots - 1];

	return last->base.v + last->nr_pages;
}

uint64_t guest_mem_nr_pages(const struct guest_mem *mem)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < mem->nr_slots; i++)
		nr += mem->slots[i].nr_pages;
	return nr;
}

const struct guest_memslot *guest_mem_slots(const struct guest_mem *mem,
					    unsigned int *nr)
{
	*nr = mem->nr_slots;
	return mem->slots;
}

pid_t guest_mem_pid(const struct guest_mem *mem)
{
	return mem->pid ? mem->pid : getpid();
}

bool guest_mem_gfn_to_hva(const struct guest_mem *mem, gfn_t gfn,
			  uint64_t *hva)
{
	const struct guest_memslot *s = find_slot(mem, gfn);

	if (!s)
		return false;
	*hva = s->hva + ((gfn.v - s->base.v) << VMM_PAGE_SHIFT);
	return true;
}

bool guest_mem_is_ram(const struct guest_mem *mem, struct gfn_range range)
{
	uint64_t g = range.start.v, end = g + range.nr;
	const struct guest_memslot *s;

	/* Slots may be adjacent. */
	for (; g < end; g = s->base.v + s->nr_pages) {
		s = find_slot(mem, GFN(g));
		if (!s)
			return false;
	}
	return end > range.start.v;
}

bool guest_mem_hva_to_gfn(const struct guest_mem *mem, uint64_t hva,
			  gfn_t *gfn)
{
	for (unsigned int i = 0; i < mem->nr_slots; i++) {
		const struct guest_memslot *s = &mem->slots[i];

		if (hva >= s->hva &&
		    hva - s->hva < s->nr_pages << VMM_PAGE_SHIFT) {
			*gfn = GFN(s->base.v +
				   ((hva - s->hva) >> VMM_PAGE_SHIFT));
			return true;
		}
	}
	return false;
}
