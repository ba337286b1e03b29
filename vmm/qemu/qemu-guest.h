/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a QEMU guest, as slots for guest_mem_attach().  From QEMU's
 * monitor the layout is exact, including plugged memory.  Otherwise the initial
 * RAM is derived from the command line and mappings of the process, and plugged
 * memory is what the caller knows of, such as from libvirt; the module
 * kvm-young, if loaded, reports which mapping belongs to which part.
 *
 * Locking: none; a monitor is used by one thread.
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
	enum guest_mem_backing backing;	/* by qemu_guest_backing() */
	uint64_t bytes;		/* of all slots */
	uint64_t missing_bytes;	/* plugged in but not found: not in slots */
};

/* Helps to find the memory; all but vm_fd may be 0.  Nothing is owned. */
struct qemu_hints {
	struct qmp *qmp;	/* if set, the others are ignored */
	struct qemu_part plugged[QEMU_MAX_PARTS];	/* their hva is 0 */
	unsigned int nr_plugged;
	const struct qemu_memory *before;	/* the previous result */
	int vm_fd;		/* QEMU's KVM VM, for kvm-young; -1: none */
};

/*
 * Sets all of *memory but the backing.  0 or -errno with why; -ENOENT: the
 * process has no such memory, for example because it is just starting;
 * -ENOTUNIQ: ambiguous; -EPROTO: unknown at the moment, as while memory is
 * being plugged in.  After an error *memory is not valid.
 */
int qemu_guest_memory(pid_t pid, const struct qemu_hints *hints,
		      struct qemu_memory *memory, char *why, size_t len);
/* Sets how the slots' pages are backed.  0 or -errno with why. */
int qemu_guest_backing(pid_t pid, struct qemu_memory *memory, char *why,
		       size_t len);
/* Compares the slots only. */
bool qemu_memory_equal(const struct qemu_memory *a,
		       const struct qemu_memory *b);

/* The QEMU process of the guest with this UUID; -ENOENT or another -errno. */
pid_t qemu_guest_find(const char *uuid);

/* The guest's name from option -name, or "qemu-PID"; '/' becomes '_'. */
void qemu_guest_name(pid_t pid, char *name, size_t len);

/*
 * Whether QEMU itself reads or writes all of the guest's memory: as the source
 * of a migration or save, or as its target.  It is OUTGOING until the guest
 * runs here again.
 */
enum qemu_migration {
	QEMU_MIGRATION_NONE,
	QEMU_MIGRATION_OUTGOING,
	QEMU_MIGRATION_INCOMING
};

/* Sets *m; 0 or -errno with why. */
int qemu_guest_migration(struct qmp *qmp, enum qemu_migration *m, char *why,
			 size_t len);

#endif
