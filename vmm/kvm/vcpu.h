/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtual CPU: its file descriptor, its thread, its exits. */
#ifndef VMM_KVM_VCPU_H
#define VMM_KVM_VCPU_H

#include <stddef.h>
#include <stdint.h>

struct vm;
struct vcpu;

/* 0 or -errno, with why. */
int vcpu_new(struct vcpu **vp, struct vm *vm, unsigned int index, char *why,
	     size_t len);
/* After vcpu_join(), or when it was never started. */
void vcpu_free(struct vcpu *vcpu);

/*
 * Sets the registers: the vCPU will start in 64-bit mode at entry with RSI =
 * boot_params and RDI = its index, on the page tables and GDT of layout.h.  0
 * or -errno.
 */
int vcpu_set_start(struct vcpu *vcpu, uint64_t entry, uint64_t boot_params);

/* Starts the vCPU's thread.  0 or -errno. */
int vcpu_start(struct vcpu *vcpu);
/* Makes it leave KVM_RUN permanently; any thread, even the vCPU's own. */
void vcpu_kick(struct vcpu *vcpu);
/* Kicks the vCPU and waits for its thread to end, if it was started. */
void vcpu_join(struct vcpu *vcpu);

/* Adds the exits so far to the counters; any thread. */
void vcpu_count(const struct vcpu *vcpu, uint64_t *exits, uint64_t *io,
		uint64_t *mmio);

#endif
