/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for tests of accessed bits, in one page of code: its vCPU reads or
 * writes the first bytes of the pages on a list, again and again.
 *
 *   guest physical   0            1 GiB
 *                    | control    | data ...
 *
 * Code, page tables and the list are in the control slot, so that the only
 * pages touched in the data slot are those on the list.
 */
#ifndef VMM_TESTS_LAB_KMOD_GUEST_H
#define VMM_TESTS_LAB_KMOD_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define GUEST_PAGE	 4096UL
#define GUEST_HUGE	 (2UL << 20)
#define GUEST_DATA_GPA	 (1UL << 30)
#define GUEST_CONTROL_BYTES (16UL << 20)

struct guest {
	int kvm_fd, vm_fd, vcpu_fd;
	void *run;
	int run_len;
	uint8_t *control;
	uint8_t *data;		/* 2 MiB aligned */
	uint64_t data_bytes;
	bool own_memory;
	pthread_t thread;
	bool running;
	volatile bool stop;
};

/* Sets up everything, data mapped and every page written once by us. Exits
 * with a message when there is no working KVM. */
void guest_make(struct guest *g, uint64_t data_bytes, bool huge);
/* The same in memory of the caller, which outlives the guest. */
void guest_make_in(struct guest *g, void *control, void *data,
		   uint64_t data_bytes);
/* The list: data pages (numbers) to touch from now on; write: increments. */
void guest_set_list(struct guest *g, const uint32_t *pages, uint32_t nr,
		    bool write);
void guest_start(struct guest *g);
/* Waits until the vCPU went through the whole list nr more times. */
void guest_wait_rounds(struct guest *g, unsigned int nr);
uint64_t guest_rounds(const struct guest *g);
void guest_stop(struct guest *g);
void guest_free(struct guest *g);

#endif
