/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a QEMU guest, as slots of guest_mem_attach(): by its monitor
 * where there is one, which tells all of it exactly, with what was plugged in;
 * else by its command line and mappings: what it was started with, and what
 * somebody else, such as libvirt, knows to be plugged in.  The module kvm-young
 * tells which mapping is which, where it is loaded.
 */
#ifndef VMM_QEMU_QEMU_GUEST_H
#define VMM_QEMU_QEMU_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/mem/guest-mem.h"
#include "vmm/qemu/qemu-place.h"
#include "vmm/qemu/qmp.h"

struct qemu_memory {
	struct guest_memslot slots[GUEST_MEM_MAX_SLOTS];
	unsigned int nr;
	enum guest_mem_backing backing;
	uint64_t bytes;
	uint64_t missing_bytes;	/* plugged in, and not found: not among these */
};

/* What helps to find it; all may be 0. */
struct qemu_hints {
	struct qmp *qmp;	/* then nothing else counts */
	struct qemu_part plugged[QEMU_MAX_PARTS];	/* without hva */
	unsigned int nr_plugged;
	const struct qemu_memory *before;	/* as it was last */
	int vm_fd;		/* of KVM; -1: none */
};

/*
 * The slots.  0 or -errno with why; -ENOENT: the process has no such memory, as
 * one that is just starting; -ENOTUNIQ: it can't be told which it is; -EPROTO: just now it can't be told, as while
 * something is plugged in.
 */
int qemu_guest_memory(pid_t pid, const struct qemu_hints *hints,
		      struct qemu_memory *memory, char *why, size_t len);
/*
 * How their pages are had.  0 or -errno with why.
 */
int qemu_guest_backing(pid_t pid, struct qemu_memory *memory, char *why,
		       size_t len);
bool qemu_memory_equal(const struct qemu_memory *a,
		       const struct qemu_memory *b);

/* The process of the guest with this UUID, or -ENOENT. */
pid_t qemu_guest_find(const char *uuid);

/* Its name by -name, or "qemu-PID"; '/' becomes '_'. */
void qemu_guest_name(pid_t pid, char *name, size_t len);

/*
 * Whether QEMU itself reads or writes all of the guest's memory: to send or save
 * it, or as the target of that.  It leaves until the guest runs here again.
 */
enum qemu_motion { QEMU_STAYS, QEMU_LEAVES, QEMU_COMES };

/* Into *m; 0 or -errno with why. */
int qemu_guest_motion(struct qmp *qmp, enum qemu_motion *m, char *why,
		      size_t len);

#endif
