// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of a memfd that the kernel moves, by compaction, are mapped all the time.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/tap.h"
#include "vmm/mem/guest-mem-internal.h"
#include "vmm/util/bitmap.h"
#include "vmm/util/clock.h"

#define NR	   (UINT64_C(1) << 15)	/* 128 MiB */
#define MOST_NS	   (10 * NSEC_PER_SEC)
#define ENOUGH	   1000			/* pages seen while they are moved */
#define MOVING	   (UINT64_C(3) << 61)	/* pagemap: a swap entry, of a file */

static atomic_bool stop;

static void *compact(void *arg)
{
	int fd = *(int *)arg;

	while (!atomic_load(&stop))
		if (write(fd, "1", 1) != 1)
			break;
	return NULL;
}

/* Every second page, in turn: the kernel has something to move. */
static void scatter(struct guest_mem *mem, uint8_t *p, unsigned int parity)
{
	for (uint64_t i = 0; i < NR; i++)
		p[i * 4096] = 1;
	for (uint64_t i = parity; i < NR; i += 2)
		guest_mem_discard(mem, (struct gfn_range){ GFN(i), 1 });
}

static uint64_t nr_moving(const uint8_t *p, int pagemap)
{
	static uint64_t entries[NR];
	uint64_t nr = 0;

	if (pread(pagemap, entries, sizeof(entries),
		  (uintptr_t)p / 4096 * 8) != sizeof(entries))
		tap_bail("pagemap: %s", strerror(errno));
	for (uint64_t i = 0; i < NR; i++)
		nr += (entries[i] & MOVING) == MOVING;
	return nr;
}

static void test(int compact_fd)
{
	static uint64_t bits[BITMAP_WORDS(NR)];
	const struct gfn_range all = { GFN(0), NR };
	uint64_t moving = 0, missed[2] = { 0 };
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t end = clock_now_ns() + MOST_NS;
	struct guest_mem *mem;
	pthread_t thread;
	uint8_t *p;

	if (pagemap < 0 || guest_mem_new(&mem, NR * 4096, GUEST_MEM_MEMFD))
		tap_bail("no memory");
	p = guest_mem_ptr(mem, GPA(0), NR * 4096);
	if (pthread_create(&thread, NULL, compact, &compact_fd))
		tap_bail("no thread");
	for (unsigned int i = 0; moving < ENOUGH && clock_now_ns() < end; i++) {
		scatter(mem, p, i % 2);
		for (unsigned int k = 0; k < 100; k++) {
			mem->no_scan = k % 2;
			if (guest_mem_mapped(mem, all, bits))
				tap_bail("what is mapped can't be read");
			missed[k % 2] += NR / 2 - bitmap_count(bits, 0, NR);
			moving += nr_moving(p, pagemap);
		}
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("# %llu pages were seen while they were moved\n",
	       (unsigned long long)moving);
	is_int(missed[0], 0, "pages that are moved count as mapped");
	is_int(missed[1], 0, "also where pagemap is read");
	guest_mem_free(mem);
	close(pagemap);
}

int main(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == EROFS))
		tap_skip_all("the kernel lets nobody start compaction here");
	if (fd < 0)
		tap_refused(-errno, "only root may start compaction");
	test(fd);
	close(fd);
	return tap_done();
}
