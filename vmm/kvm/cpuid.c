// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The CPUID of the guest's CPUs: all features that KVM supports, with the
 * topology adapted, except virtualization of nested guests.  For a nested guest
 * KVM pins pages of guest memory (virtual APIC, posted interrupts), to which
 * the processor writes by their physical address: neither an accessed bit nor
 * the MMU notifier shows this, so that a page that seems idle would be evicted,
 * and later writes to it would be lost.
 */
#include "config.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/util/cleanup.h"

#define MAX_ENTRIES	 256
#define LEAF_TOPOLOGY	 0xb
#define LEAF_TOPOLOGY_V2 0x1f
#define LEAF_HYPERVISOR	 0x40000000
#define LEAF_TIMING	 0x40000010 /* EAX: TSC kHz, EBX: APIC bus kHz */
#define APIC_BUS_KHZ	 1000000    /* KVM's APIC counts nanoseconds */

#define ECX1_VMX	  (1u << 5)
#define ECX1_TSC_DEADLINE (1u << 24)
#define ECX1_HYPERVISOR	  (1u << 31)
#define EDX1_HTT	  (1u << 28)
#define ECX80000001_SVM	  (1u << 2)

/* Number of APIC id bits that number the CPUs of the single package. */
static unsigned int id_bits(unsigned int nr_cpus)
{
	return nr_cpus > 1 ? 32 - __builtin_clz(nr_cpus - 1) : 0;
}

/* One thread per core, all cores in one package. */
static void set_topology(struct kvm_cpuid_entry2 *e, unsigned int cpu,
			 unsigned int nr_cpus)
{
	enum { NONE, SMT, CORE };

	e->eax = e->ebx = 0;
	e->ecx = e->index;
	e->edx = cpu;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx |= SMT << 8;
	} else if (e->index == 1) {
		e->eax = id_bits(nr_cpus);
		e->ebx = nr_cpus;
		e->ecx |= CORE << 8;
	}
}

static void adjust(struct kvm_cpuid_entry2 *e, int kvm_fd, unsigned int cpu,
		   unsigned int nr_cpus)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xff00) | nr_cpus << 16 | cpu << 24;
		e->ecx &= ~ECX1_VMX;
		e->ecx |= ECX1_HYPERVISOR;
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION,
			  KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			e->ecx |= ECX1_TSC_DEADLINE;
		if (nr_cpus > 1)
			e->edx |= EDX1_HTT;
		else
			e->edx &= ~EDX1_HTT;
		break;
	case 4:
		/* Cores in the package; caches are not shared with others. */
		e->eax &= 0x3fff;
		if (e->eax & 0x1f)
			e->eax |= ((1u << id_bits(nr_cpus)) - 1) << 26;
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_V2:
		set_topology(e, cpu, nr_cpus);
		break;
	case LEAF_HYPERVISOR:
		if (e->eax < LEAF_TIMING)
			e->eax = LEAF_TIMING;
		break;
	case 0x80000001:
		e->ecx &= ~ECX80000001_SVM;
		break;
	case 0x80000008:
		e->ecx = (nr_cpus - 1) | id_bits(nr_cpus) << 12;
		break;
	}
}

int cpuid_set(int kvm_fd, int vcpu_fd, unsigned int cpu, unsigned int nr_cpus)
{
	__cleanup_free struct kvm_cpuid2 *c = NULL;
	struct kvm_cpuid_entry2 *e;
	int tsc_khz, n;

	c = calloc(1, sizeof(*c) + (MAX_ENTRIES + 1) * sizeof(*e));
	if (!c)
		return -ENOMEM;
	c->nent = MAX_ENTRIES;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c))
		return -errno;
	n = 0;
	for (unsigned int i = 0; i < c->nent; i++) {
		e = &c->entries[i];
		if (e->function == LEAF_TIMING)
			continue;
		adjust(e, kvm_fd, cpu, nr_cpus);
		c->entries[n++] = *e;
	}
	tsc_khz = ioctl(vcpu_fd, KVM_GET_TSC_KHZ);
	if (tsc_khz > 0) {
		e = &c->entries[n++];
		memset(e, 0, sizeof(*e));
		e->function = LEAF_TIMING;
		e->eax = tsc_khz;
		e->ebx = APIC_BUS_KHZ;
	}
	c->nent = n;
	return ioctl(vcpu_fd, KVM_SET_CPUID2, c) ? -errno : 0;
}
