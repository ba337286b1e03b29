// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/boot-internal.h"
#include "vmm/kvm/boot.h"
#include "vmm/kvm/layout.h"

/* Highest initrd address for a kernel whose header gives no limit. */
#define INITRD_MAX 0x7fffffff

static bool inside(size_t size, uint64_t off, uint64_t len)
{
	return off <= size && len <= size - off;
}

static int load_segment(struct guest_mem *mem, const uint8_t *file, size_t size,
			const Elf64_Phdr *ph, struct boot_kernel *k, char *why,
			size_t len)
{
	void *p;

	if (!ph->p_memsz)
		return 0;
	if (!inside(size, ph->p_offset, ph->p_filesz) ||
	    ph->p_filesz > ph->p_memsz) {
		snprintf(why, len, "this ELF file is truncated or damaged");
		return -EINVAL;
	}
	if (ph->p_paddr < LAYOUT_HIGH_RAM) {
		snprintf(why, len, "a segment loads at 0x%llx, below 1 MiB, "
			 "where the VMM places its own tables: link it higher",
			 (unsigned long long)ph->p_paddr);
		return -EINVAL;
	}
	p = guest_mem_ptr(mem, GPA(ph->p_paddr), ph->p_memsz);
	if (!p) {
		snprintf(why, len, "a segment needs memory at 0x%llx, %llu "
			 "bytes: give the guest more with --mem",
			 (unsigned long long)ph->p_paddr,
			 (unsigned long long)ph->p_memsz);
		return -ENOMEM;
	}
	memcpy(p, file + ph->p_offset, ph->p_filesz);
	if (ph->p_paddr + ph->p_memsz > k->end)
		k->end = ph->p_paddr + ph->p_memsz;
	return 0;
}

static void read_notes(const uint8_t *file, size_t size, const Elf64_Phdr *ph,
		       struct boot_kernel *k)
{
	uint64_t at = ph->p_offset, end = ph->p_offset + ph->p_filesz;
	Elf64_Nhdr n;

	if (!inside(size, ph->p_offset, ph->p_filesz))
		return;
	while (end - at >= sizeof(n)) {
		uint64_t name, desc;

		memcpy(&n, file + at, sizeof(n));
		at += sizeof(n);
		name = ((uint64_t)n.n_namesz + 3) & ~3ull;
		desc = ((uint64_t)n.n_descsz + 3) & ~3ull;
		if (name > end - at || desc > end - at - name)
			return;
		if (n.n_type == VMM_NOTE_START_ALL &&
		    n.n_namesz == sizeof(VMM_NOTE_NAME) &&
		    !memcmp(file + at, VMM_NOTE_NAME, sizeof(VMM_NOTE_NAME)))
			k->start_all = true;
		at += name + desc;
	}
}

int boot_load_elf(struct guest_mem *mem, const uint8_t *file, size_t size,
		  struct boot_kernel *k, char *why, size_t len)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int rc;

	if (size < sizeof(eh) || memcmp(file, ELFMAG, SELFMAG)) {
		snprintf(why, len, "it is not an ELF file");
		return -ENOEXEC;
	}
	memcpy(&eh, file, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_machine != EM_X86_64 ||
	    eh.e_type != ET_EXEC) {
		snprintf(why, len, "this ELF file is not an x86-64 executable "
			 "with fixed addresses, as vmlinux is");
		return -EINVAL;
	}
	if (eh.e_phentsize != sizeof(ph) ||
	    !inside(size, eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(ph))) {
		snprintf(why, len, "this ELF file is truncated or damaged");
		return -EINVAL;
	}
	k->entry = eh.e_entry;
	k->end = 0;
	k->start_all = false;
	for (unsigned int i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, file + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		rc = 0;
		if (ph.p_type == PT_LOAD)
			rc = load_segment(mem, file, size, &ph, k, why, len);
		else if (ph.p_type == PT_NOTE)
			read_notes(file, size, &ph, k);
		if (rc)
			return rc;
	}
	if (eh.e_entry < LAYOUT_HIGH_RAM || eh.e_entry >= k->end) {
		snprintf(why, len, "its entry point 0x%llx is outside of its "
			 "segments",
			 (unsigned long long)eh.e_entry);
		return -EINVAL;
	}
	memset(&k->header, 0, sizeof(k->header));
	k->header.boot_flag = 0xaa55;
	k->header.header = 0x53726448;
	k->header.version = 0x020f;
	k->header.initrd_addr_max = INITRD_MAX;
	k->header.cmdline_size = LAYOUT_CMDLINE_MAX - 1;
	return 0;
}
