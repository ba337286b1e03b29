// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What else in the kernel changes accessed bits or the page tables that hold
 * them, and which privileges to read them are missing.
 */
#include "config.h"

#include <dirent.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"

#define LRU_GEN "/sys/kernel/mm/lru_gen/enabled"
#define KSM_RUN "/sys/kernel/mm/ksm/run"

static void check_lockdown(struct doctor *d)
{
	struct doctor_fact *f;
	char level[32];

	if (doctor_choice(d, level, sizeof(level),
			  "/sys/kernel/security/lockdown")) {
		f = doctor_add(d, GROUP_ABITS, "lockdown", "none");
		doctor_detail(f, "there is no lockdown module, or securityfs "
			      "is not mounted");
		return;
	}
	f = doctor_add(d, GROUP_ABITS, "lockdown", "%s", level);
	if (!strcmp(level, "none"))
		return;
	doctor_detail(f, "the kernel only loads signed modules");
	doctor_flag(f, DOCTOR_WARN, "sign kvm_young.ko with a key that the "
		    "kernel trusts (mokutil --import), or boot without "
		    "lockdown= and without secure boot");
}

/* Bit 0 is the switch; the others select in which tables aging clears bits. */
static void check_mglru(struct doctor *d)
{
	struct doctor_fact *f;
	uint64_t bits;

	if (doctor_number(d, &bits, LRU_GEN)) {
		doctor_add(d, GROUP_ABITS, "mglru", "absent");
		return;
	}
	f = doctor_add(d, GROUP_ABITS, "mglru", "%s (0x%04" PRIx64 ")",
		       bits & 1 ? "on" : "off", bits);
	if (!(bits & 1))
		return;
	doctor_detail(f, "when the host is short of memory, its page aging "
		      "clears accessed bits too: pages in use may be taken for "
		      "idle");
	doctor_flag(f, DOCTOR_WARN, "keep memory available by setting targets "
		    "(vmm policy), or echo 0 >" LRU_GEN);
}

static void check_numa(struct doctor *d)
{
	char path[DOCTOR_PATH_LEN], list[64];
	unsigned int nr = 0;
	const struct dirent *e;
	struct doctor_fact *f;
	uint64_t mode;
	DIR *dir = NULL;

	if (!doctor_path(d, path, "/sys/devices/system/node"))
		dir = opendir(path);
	while (dir && (e = readdir(dir)))
		nr += !strncmp(e->d_name, "node", 4) && e->d_name[4] >= '0' &&
		      e->d_name[4] <= '9';
	if (dir)
		closedir(dir);
	f = doctor_add(d, GROUP_ABITS, "numa-nodes", "%u", nr ? nr : 1);
	if (!doctor_line(d, list, sizeof(list),
			 "/sys/devices/system/node/has_memory"))
		doctor_detail(f, "nodes with memory: %s", list);

	if (doctor_number(d, &mode, "/proc/sys/kernel/numa_balancing")) {
		doctor_add(d, GROUP_ABITS, "numa-balancing", "absent");
		return;
	}
	f = doctor_add(d, GROUP_ABITS, "numa-balancing", "%s",
		       mode ? "on" : "off");
	/* With one node there is no NUMA balancing. */
	if (!mode || nr < 2)
		return;
	doctor_detail(f, "it unmaps guest memory periodically to record "
		      "faults: each time page table entries and their accessed "
		      "bits are lost");
	doctor_flag(f, DOCTOR_WARN, "sysctl kernel.numa_balancing=0, and bind "
		    "guests to nodes (numactl)");
}

static void check_ksm(struct doctor *d)
{
	struct doctor_fact *f;
	uint64_t run, sharing = 0;

	if (doctor_number(d, &run, KSM_RUN)) {
		doctor_add(d, GROUP_ABITS, "ksm", "absent");
		return;
	}
	doctor_number(d, &sharing, "/sys/kernel/mm/ksm/pages_sharing");
	f = doctor_add(d, GROUP_ABITS, "ksm", "%s, %" PRIu64 " pages merged",
		       run == 1 ? "on" : "off", sharing);
	if (run != 1 && !sharing)
		return;
	doctor_detail(f, "a merged page counts as used when any process that "
		      "maps it uses it");
	doctor_flag(f, DOCTOR_WARN, "echo 2 >" KSM_RUN " (unmerges the merged "
		    "pages, which takes memory)");
}

/*
 * DAMON modules of the kernel itself: some distributions turn on the first one.
 * Programs that use DAMON are reported by the source (damon_owner_probe()).
 */
static void check_damon(struct doctor *d)
{
	static const char *const names[] = {
		"damon_stat", "damon_reclaim", "damon_lru_sort",
	};
	struct doctor_fact *f = doctor_add(d, GROUP_ABITS, "damon-user", "%s",
					   "no kernel module");

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char on[8];

		if (doctor_line(d, on, sizeof(on),
				"/sys/module/%s/parameters/enabled",
				names[i]) || *on != 'Y')
			continue;
		snprintf(f->value, sizeof(f->value), "%s", names[i]);
		doctor_detail(f, "it uses DAMON exclusively, so damon works "
			      "neither as a source nor as a sink; and it "
			      "clears accessed bits of the pages that it "
			      "samples");
		doctor_flag(f, DOCTOR_WARN, "echo N >/sys/module/%s/"
			    "parameters/enabled, and at boot %s.enabled=0",
			    names[i], names[i]);
		return;
	}
}

static void check_pfns(struct doctor *d)
{
	bool can = doctor_has_cap(d, CAP_SYS_ADMIN);
	struct doctor_fact *f = doctor_add(d, GROUP_ABITS, "page-frames", "%s",
					   can ? "readable" : "hidden");

	if (can)
		return;
	doctor_detail(f, "/proc/PID/pagemap hides page frame numbers, which "
		      "damon and page-idle need");
	doctor_flag(f, DOCTOR_WARN, "run as root, or with CAP_SYS_ADMIN");
}

static void check_bpf(struct doctor *d)
{
	bool can =
		doctor_has_cap(d, CAP_SYS_ADMIN) ||
		(doctor_has_cap(d, CAP_BPF) && doctor_has_cap(d, CAP_PERFMON));
	struct doctor_fact *f;

	if (!doctor_has(d, "/proc/sys/kernel/unprivileged_bpf_disabled")) {
		f = doctor_add(d, GROUP_ABITS, "bpf", "absent");
		doctor_detail(f, "damon needs BPF programs");
		doctor_flag(f, DOCTOR_WARN, "run a kernel with "
			    "CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS");
		return;
	}
	f = doctor_add(d, GROUP_ABITS, "bpf", can ? "permitted" :
						    "not permitted");
	if (can)
		return;
	doctor_detail(f, "damon needs BPF programs on tracepoints");
	doctor_flag(f, DOCTOR_WARN, "run as root, or with CAP_BPF and "
		    "CAP_PERFMON");
}

void doctor_check_abits(struct doctor *d)
{
	check_lockdown(d);
	check_mglru(d);
	check_numa(d);
	check_ksm(d);
	check_damon(d);
	check_pfns(d);
	check_bpf(d);
}
