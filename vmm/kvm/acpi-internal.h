/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that write ACPI tables. */
#ifndef VMM_KVM_ACPI_INTERNAL_H
#define VMM_KVM_ACPI_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/aml.h"

struct vm;

/*
 * Writes a table's header at the next multiple of 64 bytes; *gpa is its guest
 * address.  Returns its offset for acpi_end_table().
 */
size_t acpi_begin_table(struct aml *a, const char *signature,
			unsigned int revision, uint64_t *gpa);
/* Sets length and checksum. */
void acpi_end_table(struct aml *a, size_t start);

/* Writes SRAT and SLIT for a guest with NUMA nodes: see vm_numa(). */
void acpi_write_srat(struct aml *a, struct vm *vm, uint64_t *gpa);
void acpi_write_slit(struct aml *a, struct vm *vm, uint64_t *gpa);

#endif
