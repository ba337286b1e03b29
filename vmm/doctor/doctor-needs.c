// SPDX-License-Identifier: GPL-2.0-or-later
/* What some sources and sinks need beyond what their self-tests report. */
#include "config.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <unistd.h>

#include "vmm/doctor/doctor-internal.h"

/* Where an installed module may be, with the suffixes of compressed modules. */
static bool is_installed(const struct doctor *d, const char *release)
{
	static const char *const dirs[] = { "updates", "updates/dkms", "extra",
					    NULL };
	static const char *const ends[] = { "", ".xz", ".zst", ".gz", NULL };

	for (size_t i = 0; dirs[i]; i++)
		for (size_t k = 0; ends[k]; k++)
			if (doctor_has(d, "/lib/modules/%s/%s/kvm_young.ko%s",
				       release, dirs[i], ends[k]))
				return true;
	return false;
}

static void check_kvm_young(struct doctor *d)
{
	char release[96] = "?";
	struct doctor_fact *f;
	bool installed;

	doctor_line(d, release, sizeof(release), "/proc/sys/kernel/osrelease");
	if (doctor_has(d, "/sys/module/kvm_young")) {
		f = doctor_add(d, GROUP_ABITS, "module", "kvm_young is loaded");
		if (doctor_has(d, "/dev/kvm-young"))
			return;
		doctor_detail(f, "but there is no /dev/kvm-young");
		doctor_flag(f, DOCTOR_WARN, "mount devtmpfs on /dev, or give "
			    "the container the device");
		return;
	}
	installed = is_installed(d, release);
	f = doctor_add(d, GROUP_ABITS, "module", "kvm_young is %s", installed ?
		       "built for this kernel, not loaded" : "not loaded");
	if (installed) {
		doctor_flag(f, DOCTOR_WARN, "modprobe kvm_young");
	} else if (!doctor_has(d, "/proc/modules")) {
		doctor_detail(f, "this kernel loads no modules");
		doctor_flag(f, DOCTOR_WARN, "run a kernel with "
			    "CONFIG_MODULES, or use another source");
	} else if (doctor_has(d, "/lib/modules/%s/build/Makefile", release)) {
		doctor_flag(f, DOCTOR_WARN, "build it for Linux %s (make "
			    "kmod), then insmod vmm/kmod/kvm_young.ko",
			    release);
	} else {
		doctor_detail(f, "the headers of Linux %s are not installed",
			      release);
		doctor_flag(f, DOCTOR_WARN, "install linux-headers-%s, then "
			    "build it (make kmod)", release);
	}
}

static void check_userfaultfd(struct doctor *d)
{
	bool device = doctor_has(d, "/dev/userfaultfd"), usable = false;
	char path[DOCTOR_PATH_LEN];
	struct doctor_fact *f;
	uint64_t allowed;

	if (doctor_number(d, &allowed,
			  "/proc/sys/vm/unprivileged_userfaultfd")) {
		f = doctor_add(d, GROUP_RECLAIM, "userfaultfd", "absent");
		doctor_flag(f, DOCTOR_WARN, "run a kernel with "
			    "CONFIG_USERFAULTFD, or use swap");
		return;
	}
	f = doctor_add(d, GROUP_RECLAIM, "userfaultfd", "present, "
		       "unprivileged_userfaultfd %" PRIu64 "%s", allowed,
		       device ? ", /dev/userfaultfd" : "");
	if (device && !doctor_path(d, path, "/dev/userfaultfd"))
		usable = !access(path, R_OK | W_OK);
	if (allowed || usable || doctor_has_cap(d, CAP_SYS_PTRACE))
		return;
	doctor_detail(f, "--sink store may not handle page faults of KVM");
	doctor_flag(f, DOCTOR_WARN, "sysctl vm.unprivileged_userfaultfd=1%s, "
		    "or run as root", device ?
		    ", or grant access to /dev/userfaultfd" : "");
}

void doctor_check_needs(struct doctor *d)
{
	check_kvm_young(d);
	check_userfaultfd(d);
}
