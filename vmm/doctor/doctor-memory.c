// SPDX-License-Identifier: GPL-2.0-or-later
/* The host's memory: size, page sizes, and what pins it. */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/size.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
/* Percent of memory that is available, and of time that tasks wait for it. */
#define LOW_FREE      10
#define HIGH_PRESSURE 10

static void check_free(struct doctor *d)
{
	uint64_t total, avail;
	struct doctor_fact *f;
	char a[16], b[16];

	if (doctor_field_kib(d, &total, "MemTotal:", "/proc/meminfo") ||
	    doctor_field_kib(d, &avail, "MemAvailable:", "/proc/meminfo")) {
		f = doctor_add(d, GROUP_RECLAIM, "memory", "not known");
		doctor_flag(f, DOCTOR_WARN, "mount /proc");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "memory", "%s available of %s",
		       size_format(avail, a, sizeof(a)),
		       size_format(total, b, sizeof(b)));
	if (avail >= total / 100 * LOW_FREE)
		return;
	doctor_detail(f, "the host is short of memory: refaults of guests wait "
		      "for the host's own reclaim");
	doctor_flag(f, DOCTOR_WARN, "set targets with `vmm policy`, or run "
		    "fewer guests");
}

static void check_pressure(struct doctor *d)
{
	struct doctor_fact *f;
	char line[128];
	double avg10;

	if (doctor_line(d, line, sizeof(line), "/proc/pressure/memory") ||
	    sscanf(line, "some avg10=%lf", &avg10) != 1) {
		f = doctor_add(d, GROUP_RECLAIM, "psi", "absent");
		doctor_detail(f, "without pressure stall information vmm "
			      "cannot detect that reclaim slows guests down");
		doctor_flag(f, DOCTOR_WARN, "kernel command line: psi=1 (with "
			    "CONFIG_PSI)");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "psi", "present, memory %.2f %%",
		       avg10);
	if (avg10 < HIGH_PRESSURE)
		return;
	doctor_detail(f, "share of the last 10 s in which some task waited for "
		      "memory");
	doctor_flag(f, DOCTOR_WARN, "with `vmm policy` lower the targets of "
		    "guests with cold memory; raise those of guests that "
		    "refault all the time (REFLT/s of `vmm top`)");
}

/* No setting of huge pages prevents reclaim; some slow down it or guests. */
static void check_thp(struct doctor *d)
{
	struct doctor_fact *f;
	char word[32];

	if (doctor_choice(d, word, sizeof(word), THP "enabled")) {
		f = doctor_add(d, GROUP_RECLAIM, "thp", "absent");
		doctor_detail(f, "guests have pages of 4 KiB: 512 times as "
			      "many entries to scan");
		doctor_flag(f, DOCTOR_WARN, "run a kernel with "
			    "CONFIG_TRANSPARENT_HUGEPAGE");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "thp", "%s", word);
	if (!strcmp(word, "never")) {
		doctor_detail(f, "guests whose memory is not shared get no "
			      "huge pages");
		doctor_flag(f, DOCTOR_WARN, "echo madvise >" THP "enabled");
	}
	if (!doctor_choice(d, word, sizeof(word), THP "shmem_enabled")) {
		f = doctor_add(d, GROUP_RECLAIM, "thp-shmem", "%s", word);
		if (!strcmp(word, "never"))
			doctor_detail(f, "QEMU's guests whose memory is shared "
				      "(memfd) have pages of 4 KiB; those of "
				      "`vmm run` have huge ones");
		if (!strcmp(word, "deny"))
			doctor_detail(f, "guests whose memory is shared "
				      "(memfd) have pages of 4 KiB");
	}
	if (!doctor_choice(d, word, sizeof(word), THP "defrag")) {
		f = doctor_add(d, GROUP_RECLAIM, "thp-defrag", "%s", word);
		if (!strcmp(word, "always")) {
			doctor_detail(f, "a guest's page fault may wait while "
				      "memory is compacted");
			doctor_flag(f, DOCTOR_WARN, "echo defer+madvise >" THP
				    "defrag");
		}
	}
}

/* Groups bound to VFIO, and processes that have one open. */
static void check_vfio(struct doctor *d)
{
	unsigned int nr_bound = 0, nr_users = 0;
	char path[DOCTOR_PATH_LEN];
	struct doctor_fds fds;
	const struct dirent *e;
	struct doctor_fact *f;
	DIR *dir = NULL;

	if (!doctor_path(d, path, "/dev/vfio"))
		dir = opendir(path);
	while (dir && (e = readdir(dir)))
		nr_bound += isdigit((unsigned char)*e->d_name) != 0;
	if (dir)
		closedir(dir);
	dir = doctor_path(d, path, "/proc") ? NULL : opendir(path);
	while (nr_bound && dir && (e = readdir(dir)))
		nr_users += isdigit((unsigned char)*e->d_name) &&
			    !doctor_read_fds(d, e->d_name, &fds) && fds.nr_vfio;
	if (dir)
		closedir(dir);
	if (!nr_bound) {
		doctor_add(d, GROUP_RECLAIM, "vfio", "no device");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "vfio", "%u %s, %u in use by a "
		       "process that is visible to us",
		       nr_bound, nr_bound == 1 ?
		       "group" : "groups", nr_users);
	if (!nr_users)
		return;
	doctor_detail(f, "a passed-through device pins all memory of its "
		      "guest: none of it can be reclaimed");
	doctor_flag(f, DOCTOR_WARN, "use virtio devices in guests whose memory "
		    "is to be reclaimed");
}

void doctor_check_memory(struct doctor *d)
{
	check_free(d);
	check_pressure(d);
	check_thp(d);
	check_vfio(d);
}
