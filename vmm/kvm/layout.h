/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a guest's physical memory and port bus.
 *
 *   0x00000500  GDT
 *   0x00007000  boot_params ("zero page")
 *   0x00009000  page tables: PML4, PDPT, then a PD per GiB below 4 GiB
 *   0x00020000  kernel command line
 *   0x0009fc00  reserved up to 1 MiB
 *   0x000e0000  ACPI tables, RSDP first
 *   0x00100000  kernels; the initrd at the top of low memory
 *   0xd0000000  virtio windows, 4 KiB each
 *   0xfec00000  I/O APIC (KVM's)
 *   0xfee00000  local APICs (KVM's)
 */
#ifndef VMM_KVM_LAYOUT_H
#define VMM_KVM_LAYOUT_H

#define LAYOUT_GDT	     0x500
#define LAYOUT_BOOT_PARAMS   0x7000
#define LAYOUT_PAGE_TABLES   0x9000
#define LAYOUT_CMDLINE	     0x20000
#define LAYOUT_CMDLINE_MAX   0x10000
#define LAYOUT_LOW_RAM_END   0x9fc00
#define LAYOUT_ACPI	     0xe0000
#define LAYOUT_ACPI_END	     0x100000
#define LAYOUT_HIGH_RAM	     0x100000
#define LAYOUT_VIRTIO	     0xd0000000
#define LAYOUT_IOAPIC	     0xfec00000
#define LAYOUT_LAPIC	     0xfee00000
#define LAYOUT_TSS	     0xfffbd000 /* of KVM on Intel: 3 pages */
#define LAYOUT_IDENTITY_MAP  0xfffbc000 /* of KVM on Intel: 1 page */

/* Selectors of the GDT that the VMM builds; the boot protocol fixes 10, 18. */
#define LAYOUT_SEL_CODE0 0x10
#define LAYOUT_SEL_DATA0 0x18
#define LAYOUT_SEL_CODE3 0x23
#define LAYOUT_SEL_DATA3 0x2b

/* Ports. */
#define PORT_I8042	 0x60 /* to 0x64; only the reset line is there */
#define PORT_COM1	 0x3f8
#define PORT_PVPANIC	 0x505
#define PORT_PM1_EVENT	 0x600 /* 4 bytes: status, enable */
#define PORT_PM1_CONTROL 0x604 /* 2 bytes; SLP_TYP 5, SLP_EN: power off */
#define PORT_RESET	 0xcf9 /* 6: reset */

#define GSI_COM1 4
#define GSI_SCI	 9

#define ACPI_SLEEP_TYPE_S5 5

#endif
