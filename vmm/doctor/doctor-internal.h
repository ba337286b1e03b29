/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the doctor's files.  Paths in arguments are without the root. */
#ifndef VMM_DOCTOR_DOCTOR_INTERNAL_H
#define VMM_DOCTOR_DOCTOR_INTERNAL_H

#include <stdint.h>
#include <stdio.h>

#include "vmm/doctor/doctor.h"

#define DOCTOR_MAX_FACTS 96
#define DOCTOR_PATH_LEN	 512

#define GROUP_KVM     "kvm"
#define GROUP_SOURCES "sources"
#define GROUP_ABITS   "accessed bits"
#define GROUP_RECLAIM "reclaim"
#define GROUP_SINKS   "sinks"
#define GROUP_PROCESS "process"

struct doctor {
	char root[256];		/* prefix of all paths, see doctor_new() */
	uint64_t caps;		/* effective capabilities, one bit each */
	bool pid_given;
	const char *source, *sink;	/* see doctor_summary */
	struct doctor_fact facts[DOCTOR_MAX_FACTS];
	size_t nr;
};

#define DOCTOR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The new fact is OK until doctor_flag(). */
struct doctor_fact *doctor_add(struct doctor *d, const char *group,
			       const char *name, const char *value_fmt, ...)
	DOCTOR_PRINTF(4, 5);
void doctor_detail(struct doctor_fact *f, const char *fmt, ...)
	DOCTOR_PRINTF(2, 3);
/* Appends to the value. */
void doctor_append(struct doctor_fact *f, const char *text);
/* Sets a status that is not OK, and the remedy. */
void doctor_flag(struct doctor_fact *f, enum doctor_status status,
		 const char *remedy_fmt, ...) DOCTOR_PRINTF(3, 4);

/* --- doctor-read.c: files below the root ---------------------------------- */

/* The path with the root prefix; -ENAMETOOLONG. */
int doctor_path(const struct doctor *d, char path[DOCTOR_PATH_LEN],
		const char *fmt, ...) DOCTOR_PRINTF(3, 4);
bool doctor_has(const struct doctor *d, const char *fmt, ...)
	DOCTOR_PRINTF(2, 3);
/* NULL with errno. */
FILE *doctor_fopen(const struct doctor *d, const char *fmt, ...)
	DOCTOR_PRINTF(2, 3);
/* The first line without its newline.  0 or -errno (-ENODATA: no line). */
int doctor_line(const struct doctor *d, char *buf, size_t len, const char *fmt,
		...) DOCTOR_PRINTF(4, 5);
/* A file that begins with a number.  0 or -errno; -EINVAL: it does not. */
int doctor_number(const struct doctor *d, uint64_t *v, const char *fmt, ...)
	DOCTOR_PRINTF(3, 4);
/* The word in brackets of "a [b] c".  0 or -errno. */
int doctor_choice(const struct doctor *d, char *buf, size_t len,
		  const char *fmt, ...) DOCTOR_PRINTF(4, 5);
/*
 * The rest of the line that begins with key ("SwapFree:"), without leading
 * blanks.  0 or -errno (-ENOENT: also if there is no such line).
 */
int doctor_field(const struct doctor *d, char *buf, size_t len,
		 const char *key, const char *fmt, ...) DOCTOR_PRINTF(5, 6);
/* The same for "N kB", in bytes. */
int doctor_field_kib(const struct doctor *d, uint64_t *bytes, const char *key,
		     const char *fmt, ...) DOCTOR_PRINTF(4, 5);
/* Whether word is one of those in text, divided by any of separators. */
bool doctor_has_word(const char *text, const char *word,
		     const char *separators);
/* cap: from <linux/capability.h> */
bool doctor_has_cap(const struct doctor *d, int cap);

/* The descriptors of a process that matter here. */
struct doctor_fds {
	unsigned int nr_vms, nr_vfio;
};

/* 0 or -errno (-EACCES: another user's process; -ENOENT: it has ended). */
int doctor_read_fds(const struct doctor *d, const char *pid,
		    struct doctor_fds *fds);

/* --- the checks, one file each -------------------------------------------- */

void doctor_check_kvm(struct doctor *d);
void doctor_check_abits(struct doctor *d);
void doctor_check_needs(struct doctor *d);
void doctor_check_memory(struct doctor *d);
void doctor_check_swap(struct doctor *d);
/* pid: a number, or "self" */
void doctor_check_cgroup(struct doctor *d, const char *group, const char *pid);

#endif
