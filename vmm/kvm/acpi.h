/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI tables (ACPI 6.4): RSDP, XSDT, FADT, FACS, MADT, and a DSDT with COM1
 * (PNP0501), the panic device (QEMU0001) and a virtio-mmio device (LNRO0005)
 * for each window that vm_alloc_virtio_window() allocated.  Distribution
 * kernels find these devices only by the DSDT.  A guest with NUMA nodes
 * (vm_numa()) also has SRAT and SLIT.
 */
#ifndef VMM_KVM_ACPI_H
#define VMM_KVM_ACPI_H

struct vm;

/* Writes the tables at LAYOUT_ACPI.  0, -ENOSPC or -EFAULT. */
int acpi_write(struct vm *vm);

#endif
