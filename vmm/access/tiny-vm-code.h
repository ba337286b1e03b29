/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program of the tiny VM's guest, and what it shares with the VMM. */
#ifndef VMM_ACCESS_TINY_VM_CODE_H
#define VMM_ACCESS_TINY_VM_CODE_H

#include <stdint.h>

/* The page that %rdi points to; the program uses these offsets. */
struct tiny_vm_shared {
	uint64_t list;		/*  0: guest address of the list to visit */
	uint64_t list_seen;	/*  8: the list visited last, by the guest */
	uint64_t nr_rounds;	/* 16: completed rounds, by the guest */
	uint64_t stop;		/* 24: not 0: the guest is to exit */
};

struct tiny_vm_list {
	uint64_t nr;
	uint64_t keep;		/* the guest masks nr with it after a round */
	uint64_t addr[];
};

extern const uint8_t tiny_vm_code[], tiny_vm_code_end[];

#endif
