// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/boot-internal.h"
#include "vmm/kvm/layout.h"

#define SETUP_OFFSET	0x1f1
#define MAGIC_HDRS	0x53726448
#define MIN_VERSION	0x020c
#define SECTOR		512
#define ENTRY64_OFFSET	0x200
#define XLF_64		1 /* XLF_KERNEL_64 */
#define CAN_LOAD_HIGH	1 /* LOADED_HIGH */
#define HEADER_END	0x201 /* the byte there + 0x202: end of the header */

int boot_load_bzimage(struct guest_mem *mem, const uint8_t *file, size_t size,
		      struct boot_kernel *k, char *why, size_t len)
{
	struct setup_header h;
	size_t setup_bytes, header_bytes;
	uint64_t load;
	void *p;

	memset(&h, 0, sizeof(h));
	if (size < SETUP_OFFSET + sizeof(h)) {
		snprintf(why, len, "the file is too short for a bzImage");
		return -ENOEXEC;
	}
	header_bytes = HEADER_END + 1 + file[HEADER_END] - SETUP_OFFSET;
	if (header_bytes > sizeof(h))
		header_bytes = sizeof(h);
	memcpy(&h, file + SETUP_OFFSET, header_bytes);
	if (h.boot_flag != 0xaa55 || h.header != MAGIC_HDRS) {
		snprintf(why, len, "it is not a bzImage (it has no \"HdrS\" "
			 "header)");
		return -ENOEXEC;
	}
	if (h.version < MIN_VERSION || !(h.xloadflags & XLF_64) ||
	    !(h.loadflags & CAN_LOAD_HIGH)) {
		snprintf(why, len, "this bzImage has no 64-bit entry (boot "
			 "protocol %u.%u): use a 64-bit kernel, 3.8 or newer",
			 h.version >> 8, h.version & 0xff);
		return -EINVAL;
	}
	setup_bytes = ((h.setup_sects ? h.setup_sects : 4) + 1) * SECTOR;
	if (setup_bytes + ENTRY64_OFFSET >= size) {
		snprintf(why, len, "this bzImage is truncated");
		return -EINVAL;
	}
	load = h.pref_address;
	if (load < LAYOUT_HIGH_RAM)
		load = LAYOUT_HIGH_RAM;
	p = guest_mem_ptr(mem, GPA(load), size - setup_bytes);
	if (!p || !guest_mem_ptr(mem, GPA(load), h.init_size)) {
		snprintf(why, len, "the kernel needs memory up to %llu MiB: "
			 "give the guest more with --mem", (unsigned long long)
			 ((load + h.init_size) >> 20) + 1);
		return -ENOMEM;
	}
	memcpy(p, file + setup_bytes, size - setup_bytes);
	k->entry = load + ENTRY64_OFFSET;
	k->end = load + (h.init_size > size ? h.init_size : size);
	k->start_all = false;
	k->header = h;
	return 0;
}
