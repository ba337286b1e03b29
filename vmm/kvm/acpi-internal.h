/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that write ACPI tables share. */
#ifndef VMM_KVM_ACPI_INTERNAL_H
#define VMM_KVM_ACPI_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm/aml.h"

struct vm;

/* A header at the next 64 bytes; *gpa is where.  Returns it for _end_table(). */
size_t acpi_begin_table(struct aml *a, const char *signature,
			unsigned int revision, uint64_t *gpa);
/* Sets length and checksum. */
void acpi_end_table(struct aml *a, size_t start);

/* SRAT and SLIT, of a guest with nodes: vm_numa(). */
void acpi_write_srat(struct aml *a, struct vm *vm, uint64_t *gpa);
void acpi_write_slit(struct aml *a, struct vm *vm, uint64_t *gpa);

#endif
