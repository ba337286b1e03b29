/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two kinds of kernel file behind boot_load(). */
#ifndef VMM_KVM_BOOT_INTERNAL_H
#define VMM_KVM_BOOT_INTERNAL_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/guest-mem.h"

struct boot_kernel {
	uint64_t entry;			/* gpa */
	uint64_t end;			/* gpa of the first byte after it */
	bool start_all;			/* VMM_NOTE_START_ALL, see boot.h */
	struct setup_header header;	/* of a bzImage, or made up by us */
};

/*
 * Each copies the kernel to guest memory.  -ENOEXEC: not of that kind, with
 * why; other errors are those of a file of that kind.
 */
int boot_load_bzimage(struct guest_mem *mem, const uint8_t *file, size_t size,
		      struct boot_kernel *kernel, char *why, size_t len);
int boot_load_elf(struct guest_mem *mem, const uint8_t *file, size_t size,
		  struct boot_kernel *kernel, char *why, size_t len);

#endif
