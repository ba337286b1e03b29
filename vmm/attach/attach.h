/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vmm attach`: reclaim for a guest that QEMU runs.  Nothing is changed in QEMU
 * or its domain, and the guest needs nothing that this process holds: it may
 * end at any moment, in any way.
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
 * An internal option: it names the domain, in the processes that attach_all()
 * starts, and the user's own arguments follow it unchanged.
 */
#define ATTACH_OF_ALL "of-all"

/* The command line; strings are owned or NULL. */
struct attach_options {
	struct service_options service;
	char *pid_text, *qmp, *uri, *domain, *ages, *agent;
	char *of_all;	/* the domain, in a process that attach_all() started */
	int all, verbose;
	pid_t pid;
};

/* A running domain of libvirt; only in builds with libvirt. */
struct attach_domain;

/*
 * Finds the domain and its process, and takes from its metadata what the
 * command line does not set: policy, source, agent.  0 or -errno with why.
 */
int attach_domain_open(struct attach_domain **dp, struct attach_options *o,
		       pid_t *pid, char *why, size_t len);
void attach_domain_close(struct attach_domain *d);
/*
 * Fetches the domain's XML again, which the next two functions read.  It stays
 * unchanged while the domain migrates or is saved, or libvirt does not answer.
 */
void attach_domain_poll(struct attach_domain *d);
/* The plugged memory, by domain_memory_read(). */
int attach_domain_memory(struct attach_domain *d, struct qemu_part *parts,
			 uint64_t *unknown_bytes, char *why, size_t len);
/* True: the policy in its metadata changed since the last call; *p is set. */
bool attach_domain_new_policy(struct attach_domain *d, struct engine_policy *p);
/*
 * Called periodically: whether the domain is being migrated, saved or restored.
 * While libvirt does not answer, the last known state; reconnects when libvirt
 * is back.
 */
enum qemu_migration attach_domain_migration(struct attach_domain *d);
/* The domain was started by migration, restore or snapshot, and not booted. */
bool attach_domain_migrated_in(struct attach_domain *d);

/*
 * Serves one guest until it ends or a signal arrives.  Returns an exit status.
 */
int attach_guest(struct attach_options *o);
/* Serves all domains of o->uri, one process each.  Returns an exit status. */
int attach_all(struct attach_options *o, int argc, char **argv);

/*
 * The idle ages of a guest's frames, in scans, as they were when the guest was
 * last known not to migrate: QEMU reads every page that it sends, and pages
 * that are swapped in for that count as used.
 */
struct attach_ages {
	uint8_t *ages, *spare;	/* owned; by gfn; spare: not yet committed */
	uint64_t nr, nr_spare;	/* frames in each */
	uint64_t nr_scans;	/* the engine's, when spare was filled */
};

/*
 * Reads the ages into spare if there was a scan since the last call; true:
 * attach_ages_commit() makes them `ages`.
 */
bool attach_ages_sample(struct attach_ages *a, struct engine *e, uint64_t nr);
void attach_ages_commit(struct attach_ages *a);
void attach_ages_free(struct attach_ages *a);
/*
 * If *pathp is a directory, replaces it by the file in it for the named guest.
 * 0 or -ENOMEM.
 */
int attach_ages_file(char **pathp, const char *name, bool *in_directory);
/* Whether the file was written during the life of process pid. */
bool attach_ages_are_of(const char *path, pid_t pid);

/*
 * The ages of a guest's frames in a file: a header line, then one byte per
 * frame.  0 or -errno; -EINVAL: not such a file.
 */
int attach_ages_save(const char *path, const uint8_t *ages, uint64_t nr);
/* Replaces *agesp, which is freed.  -ENOENT: there is no file. */
int attach_ages_load(const char *path, uint8_t **agesp, uint64_t *nr);

#endif
