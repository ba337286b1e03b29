// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NUMA nodes of the guest (ACPI 6.4): the SRAT, 5.2.16, gives the node of each
 * CPU and memory range, the SLIT, 5.2.17, the distances between nodes.
 */
#include "config.h"

#include "vmm/kvm/acpi-internal.h"
#include "vmm/kvm/vm.h"
#include "vmm/mem/numa.h"

#define SRAT_CPU	  0
#define SRAT_CPU_BYTES	  16
#define SRAT_MEMORY	  1
#define SRAT_MEMORY_BYTES 40
#define SRAT_ENABLED	  1

static void put_cpu(struct aml *a, unsigned int cpu, unsigned int node)
{
	aml_u8(a, SRAT_CPU);
	aml_u8(a, SRAT_CPU_BYTES);
	aml_u8(a, node);		/* the low byte */
	aml_u8(a, cpu);			/* its local APIC, as in the MADT */
	aml_uint(a, SRAT_ENABLED, 4);
	aml_u8(a, 0);			/* SAPIC */
	aml_uint(a, 0, 3);		/* the node's other bytes */
	aml_uint(a, 0, 4);		/* clock domain */
}

static void put_memory(struct aml *a, struct gfn_range r, unsigned int node)
{
	aml_u8(a, SRAT_MEMORY);
	aml_u8(a, SRAT_MEMORY_BYTES);
	aml_uint(a, node, 4);
	aml_uint(a, 0, 2);
	aml_uint(a, gfn_to_gpa(r.start).v, 8);
	aml_uint(a, r.nr << VMM_PAGE_SHIFT, 8);
	aml_uint(a, 0, 4);
	aml_uint(a, SRAT_ENABLED, 4);
	aml_uint(a, 0, 8);
}

void acpi_write_srat(struct aml *a, struct vm *vm, uint64_t *gpa)
{
	const struct guest_numa *numa = vm_numa(vm);
	size_t table = acpi_begin_table(a, "SRAT", 3, gpa);

	aml_uint(a, 1, 4);		/* reserved, for an older version */
	aml_uint(a, 0, 8);
	for (unsigned int i = 0; i < numa->nr; i++)
		for (unsigned int cpu = 0; cpu < vm_nr_cpus(vm); cpu++)
			if (numa->nodes[i].cpus >> cpu & 1)
				put_cpu(a, cpu, i);
	for (unsigned int i = 0; i < numa->nr; i++) {
		struct gfn_range ranges[GUEST_NUMA_RANGES];
		unsigned int nr = guest_numa_ranges(numa, vm_mem(vm), i,
						    ranges);

		for (unsigned int k = 0; k < nr; k++)
			put_memory(a, ranges[k], i);
	}
	acpi_end_table(a, table);
}

void acpi_write_slit(struct aml *a, struct vm *vm, uint64_t *gpa)
{
	const struct guest_numa *numa = vm_numa(vm);
	size_t table = acpi_begin_table(a, "SLIT", 1, gpa);

	aml_uint(a, numa->nr, 8);
	for (unsigned int i = 0; i < numa->nr; i++)
		for (unsigned int j = 0; j < numa->nr; j++)
			aml_u8(a, numa->distance[i][j]);
	acpi_end_table(a, table);
}
