/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VMM_KVM_CPUID_H
#define VMM_KVM_CPUID_H

/*
 * Gives vCPU `cpu` of nr_cpus all features that KVM supports, except nested
 * virtualization, its own APIC id, a topology of one package, and the TSC's
 * frequency in leaf 0x40000010.  0 or -errno.
 */
int cpuid_set(int kvm_fd, int vcpu_fd, unsigned int cpu, unsigned int nr_cpus);

#endif
