/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a QEMU guest, as slots for guest_mem_attach().  With its
 * monitor the layout is exact, including plugged memory.  Otherwise it is
 * derived from the command line and the mappings for the initial RAM, and from
 * the plugged memory that the caller knows, such as from libvirt.  The module
 * kvm-young, if loaded, reports which mapping belongs to which part.
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
	uint64_t missing_bytes;	/* plugged in but not found: not in slots */
};

/* Helps to find the memory; all may be 0. */
struct qemu_hints {
	struct qmp *qmp;	/* if set, the others are ignored */
	struct qemu_part plugged[QEMU_MAX_PARTS];	/* without hva */
	unsigned int nr_plugged;
	const struct qemu_memory *before;	/* the last result */
	int vm_fd;		/* of KVM; -1: none */
};

/*
 * Fills in the slots.  0 or -errno with why; -ENOENT: the process has no such
 * memory, for example as it is just starting; -ENOTUNIQ: ambiguous; -EPROTO:
 * unknown at the moment, as while something is plugged in.
 */
int qemu_guest_memory(pid_t pid, const struct qemu_hints *hints,
		      struct qemu_memory *memory, char *why, size_t len);
/* How the slots' pages are backed.  0 or -errno with why. */
int qemu_guest_backing(pid_t pid, struct qemu_memory *memory, char *why,
		       size_t len);
bool qemu_memory_equal(const struct qemu_memory *a,
		       const struct qemu_memory *b);

/* The process of the guest with this UUID, or -ENOENT. */
pid_t qemu_guest_find(const char *uuid);

/* Its name from -name, or "qemu-PID"; '/' becomes '_'. */
void qemu_guest_name(pid_t pid, char *name, size_t len);

/*
 * Whether QEMU itself reads or writes all of the guest's memory: as the source
 * of a migration or save, or as its target.  OUTGOING holds until the guest
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
