/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of a VM, shared by the files of kvm/, beyond vm.h. */
#ifndef VMM_KVM_VM_INTERNAL_H
#define VMM_KVM_VM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#define VM_MAX_WINDOWS 14

struct vcpu;
struct vm;

int vm_kvm_fd(const struct vm *vm);
struct vcpu *vm_vcpu(struct vm *vm, unsigned int index);

/* Window number i of the virtio devices, 0 .. vm_nr_windows() - 1. */
unsigned int vm_nr_windows(const struct vm *vm);
uint64_t vm_window_gpa(const struct vm *vm, unsigned int i);
unsigned int vm_window_gsi(const struct vm *vm, unsigned int i);

#endif
