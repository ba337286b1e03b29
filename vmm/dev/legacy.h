/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few ports to power off or reset a PC, or to report a kernel panic: ACPI
 * PM1 registers, the reset register, the keyboard controller's reset line, and
 * QEMU's pvpanic device.
 */
#ifndef VMM_DEV_LEGACY_H
#define VMM_DEV_LEGACY_H

struct legacy;
struct vm;

/* 0 or -errno. */
int legacy_new(struct legacy **lp, struct vm *vm);
void legacy_free(struct legacy *legacy);

#endif
