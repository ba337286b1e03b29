/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few ports by which a PC is switched off, reset, or says that its kernel
 * panicked: ACPI PM1 registers, the reset register, the keyboard controller's
 * reset line, and QEMU's pvpanic device.
 */
#ifndef VMM_DEV_LEGACY_H
#define VMM_DEV_LEGACY_H

struct vm;

/* Nothing to free: the VM itself is the state.  0 or -errno. */
int legacy_add(struct vm *vm);

#endif
