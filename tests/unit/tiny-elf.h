/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small ELF executable of one loaded segment, for tests of booting:
 *
 *   file  Ehdr | Phdr LOAD | Phdr NOTE | Nhdr "vmm" | code
 *
 * The segment is the code alone, at TINY_ELF_LOAD, and the entry its start.
 */
#ifndef TESTS_UNIT_TINY_ELF_H
#define TESTS_UNIT_TINY_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vmm/kvm/boot.h"

#define TINY_ELF_LOAD  0x100000
#define TINY_ELF_MEMSZ 0x10000
#define TINY_ELF_MAX   4096

struct tiny_note {
	Elf64_Nhdr n;
	char name[4];
};

struct tiny_elf {
	Elf64_Ehdr eh;
	Elf64_Phdr load, note_ph;
	struct tiny_note note;
	uint8_t code[TINY_ELF_MAX];
};

/* Returns the bytes of *e that are the file. */
__attribute__((unused)) static size_t
tiny_elf_make(struct tiny_elf *e, const void *code, size_t len, bool note)
{
	memset(e, 0, sizeof(*e));
	e->eh = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64,
		.e_version = EV_CURRENT, .e_entry = TINY_ELF_LOAD,
		.e_phoff = offsetof(struct tiny_elf, load),
		.e_ehsize = sizeof(e->eh), .e_phentsize = sizeof(e->load),
		.e_phnum = note ? 2 : 1,
	};
	e->load = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X,
		.p_offset = offsetof(struct tiny_elf, code),
		.p_vaddr = TINY_ELF_LOAD, .p_paddr = TINY_ELF_LOAD,
		.p_filesz = len, .p_memsz = TINY_ELF_MEMSZ,
	};
	e->note_ph = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct tiny_elf, note),
		.p_filesz = sizeof(e->note), .p_memsz = sizeof(e->note),
	};
	e->note.n = (Elf64_Nhdr){ .n_namesz = 4, .n_type = VMM_NOTE_START_ALL };
	memcpy(e->note.name, VMM_NOTE_NAME, sizeof(VMM_NOTE_NAME));
	memcpy(e->code, code, len);
	return offsetof(struct tiny_elf, code) + len;
}

#endif
