/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vmm attach`: reclaim for a guest that QEMU runs.  Nothing is changed in QEMU
 * or its domain, and nothing that we hold is needed by it: this process may end
 * at any moment, in any way.
 */
#ifndef VMM_ATTACH_ATTACH_H
#define VMM_ATTACH_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/qemu/qemu-guest.h"
#include "vmm/service/service-options.h"

struct engine;
struct qemu_part;

/*
 * An option of our own: with it the words of a command line for all domains are
 * those of the process that serves this one.
 */
#define ATTACH_OF_ALL "of-all"

/* The command line; strings are owned or NULL. */
struct attach_options {
	struct service_options service;
	char *pid_text, *qmp, *uri, *domain, *ages, *agent;
	char *of_all;	/* the domain of a process that attach_all() started */
	int all, verbose;
	pid_t pid;
};

/* A domain of libvirt's that runs; only what a build with libvirt has. */
struct attach_domain;

/*
 * Finds the domain and its process, and takes from its metadata what the command
 * line does not say: policy, source, agent.  0 or -errno with why.
 */
int attach_domain_open(struct attach_domain **dp, struct attach_options *o,
		       pid_t *pid, char *why, size_t len);
void attach_domain_close(struct attach_domain *d);
/*
 * Asks libvirt for its XML anew, by which the next two answer; while it migrates
 * or is saved, or libvirt does not answer, it stays as it was.
 */
void attach_domain_look(struct attach_domain *d);
/* What is plugged in: domain_memory_read(). */
int attach_domain_memory(struct attach_domain *d, struct qemu_part *parts,
			 uint64_t *unknown_bytes, char *why, size_t len);
/* The policy in its metadata differs from last time: true, and it is in *p. */
bool attach_domain_new_policy(struct attach_domain *d, struct engine_policy *p);
/*
 * Asked now and then: is the domain being migrated, saved or restored?  While
 * libvirt does not answer, what it said last; it is connected to again when it
 * is back.
 */
enum qemu_motion attach_domain_motion(struct attach_domain *d);
/* It runs and came by migration, from a save or a snapshot, not by booting. */
bool attach_domain_came(struct attach_domain *d);

/* One guest until it ends or a signal comes.  An exit status. */
int attach_guest(struct attach_options *o);
/* All domains of o->uri, a process for each.  An exit status. */
int attach_all(struct attach_options *o, int argc, char **argv);

/*
 * The ages of a guest's frames, as they were when it was last known not to move:
 * QEMU reads what it sends, and pages that come from swap for that look used.
 */
struct attach_ages {
	uint8_t *ages, *spare;	/* owned; by gfn */
	uint64_t nr, nr_spare;
	uint64_t nr_scans;	/* as of spare */
};

/* Looks, if there was a scan since; true: attach_ages_keep() has what to keep. */
bool attach_ages_look(struct attach_ages *a, struct engine *e, uint64_t nr);
void attach_ages_keep(struct attach_ages *a);
void attach_ages_free(struct attach_ages *a);
/*
 * Of a directory *pathp becomes the file in it for the guest of that name.
 * 0 or -ENOMEM.
 */
int attach_ages_file(char **pathp, const char *name, bool *in_directory);
/* The file was written while that process ran already. */
bool attach_ages_are_of(const char *path, pid_t pid);

/*
 * The ages of a guest's frames in a file: a line that says what it is, then a
 * byte a frame.  0 or -errno; -EINVAL: not such a file.
 */
int attach_ages_save(const char *path, const uint8_t *ages, uint64_t nr);
/* Instead of *agesp, which is freed.  -ENOENT: there is no file. */
int attach_ages_load(const char *path, uint8_t **agesp, uint64_t *nr);

#endif
