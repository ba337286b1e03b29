/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads a kernel into guest memory and sets CPU 0 to its entry point.
 *
 * Kernels: a bzImage (Linux boot protocol 2.12 or newer, 64-bit entry) or an
 * ELF64 executable for x86-64, for example vmlinux.  Both start in 64-bit mode
 * with RSI = boot_params (Documentation/arch/x86/boot.rst, "64-bit boot
 * protocol"), identity page tables with 2 MiB pages below 4 GiB, and the GDT of
 * layout.h.
 *
 * An ELF file with a note named "vmm" of type VMM_NOTE_START_ALL starts on all
 * CPUs at once, each with RDI = its index, and its page tables have the user
 * bit: for bare-metal programs that don't bring up CPUs themselves.
 */
#ifndef VMM_KVM_BOOT_H
#define VMM_KVM_BOOT_H

#include <stddef.h>

#define VMM_NOTE_NAME	   "vmm"
#define VMM_NOTE_START_ALL 1

struct vm;

struct boot_config {
	const char *kernel;	/* path */
	const char *initrd;	/* path or NULL */
	const char *cmdline;	/* "" for none */
};

/*
 * To be called after all devices are added, before vm_start().  0 or -errno;
 * why names the file and the problem.
 */
int boot_load(struct vm *vm, const struct boot_config *config, char *why,
	      size_t len);

#endif
