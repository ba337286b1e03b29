/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_MEM_GUEST_MEM_INTERNAL_H
#define VMM_MEM_GUEST_MEM_INTERNAL_H

#include "vmm/mem/guest_mem.h"

#define GUEST_MEM_MAX_SLOTS 2

struct guest_mem {
	struct guest_memslot slots[GUEST_MEM_MAX_SLOTS];
	unsigned int nr_slots;
	enum guest_mem_backing backing;
	void *map;			/* owned */
	size_t map_bytes;
	int fd;				/* owned: memfd, or -1 */
	uint64_t file_hva;		/* where the memfd's offset 0 is */
	int pagemap_fd;			/* owned */
	uint64_t nr_discarded;		/* atomic */
};

#endif
