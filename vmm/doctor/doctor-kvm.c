// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM, the processor, and how guest addresses are translated. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"

enum vendor { VENDOR_NONE, VENDOR_INTEL, VENDOR_AMD };

/* Assumes that all CPUs are of one kind. */
struct cpu {
	enum vendor vendor;
	bool virtual_machine;
};

static struct cpu read_cpu(const struct doctor *d)
{
	__cleanup_fclose FILE *f = doctor_fopen(d, "/proc/cpuinfo");
	struct cpu cpu = { VENDOR_NONE, false };
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		if (doctor_has_word(line, "vmx", " \t\n"))
			cpu.vendor = VENDOR_INTEL;
		else if (doctor_has_word(line, "svm", " \t\n"))
			cpu.vendor = VENDOR_AMD;
		cpu.virtual_machine = doctor_has_word(line, "hypervisor",
						      " \t\n");
		break;
	}
	return cpu;
}

static const char *vendor_module(enum vendor vendor)
{
	return vendor == VENDOR_AMD ? "kvm_amd" : "kvm_intel";
}

static void check_device(struct doctor *d, const struct cpu *cpu)
{
	char path[DOCTOR_PATH_LEN];
	struct doctor_fact *f;
	__cleanup_close int fd = -1;
	int version;

	fd = doctor_path(d, path, "/dev/kvm") ? -1 : open(path, O_RDWR |
							     O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) {
		f = doctor_add(d, GROUP_KVM, "/dev/kvm", "absent");
		doctor_detail(f, "no guest can run");
		if (cpu->vendor)
			doctor_flag(f, DOCTOR_FAIL, "modprobe %s",
				    vendor_module(cpu->vendor));
		else
			doctor_flag(f, DOCTOR_FAIL, "enable virtualization in "
				    "the firmware, then load kvm_intel or "
				    "kvm_amd");
		return;
	}
	if (fd < 0) {
		f = doctor_add(d, GROUP_KVM, "/dev/kvm", "%s",
			       error_text(errno));
		doctor_flag(f, DOCTOR_FAIL, "join the group kvm, or run as "
			    "root");
		return;
	}
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION) {
		doctor_add(d, GROUP_KVM, "/dev/kvm", "API version %d", version);
		return;
	}
	f = doctor_add(d, GROUP_KVM, "/dev/kvm",
		       version < 0 ? "is not a KVM device" : "API version %d",
		       version);
	doctor_detail(f, "version %d is needed", KVM_API_VERSION);
	doctor_flag(f, DOCTOR_FAIL, "load the kernel's own kvm module");
}

/* The name of a KVM module that is neither Intel's nor AMD's, or "". */
static void other_module(const struct doctor *d, char *name, size_t len)
{
	char path[DOCTOR_PATH_LEN];
	const struct dirent *e;
	DIR *dir;

	*name = '\0';
	if (doctor_path(d, path, "/sys/module"))
		return;
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (!strncmp(e->d_name, "kvm_", 4) &&
		    strcmp(e->d_name, "kvm_intel") &&
		    strcmp(e->d_name, "kvm_amd") &&
		    strcmp(e->d_name, "kvm_young"))
			snprintf(name, len, "%.40s", e->d_name);
	if (dir)
		closedir(dir);
}

static void check_virtualization(struct doctor *d, const struct cpu *cpu)
{
	const struct doctor_fact *dev = doctor_find(d, GROUP_KVM, "/dev/kvm");
	/* A device that may not be opened exists nevertheless. */
	bool serves = strcmp(dev->value, "absent") != 0;
	struct doctor_fact *f;
	char other[48];

	if (cpu->vendor) {
		doctor_add(d, GROUP_KVM, "virtualization", "%s",
			   cpu->vendor == VENDOR_INTEL ? "VT-x (vmx)" :
							 "AMD-V (svm)");
		return;
	}
	other_module(d, other, sizeof(other));
	f = doctor_add(d, GROUP_KVM, "virtualization", "%s%s%s",
		       serves ? "in software" : "none", *other ? ", by " : "",
		       other);
	doctor_detail(f, "/proc/cpuinfo has neither vmx nor svm%s", serves ?
		      ": guest kernels run slowly, and some not at all" : "");
	doctor_flag(f, serves ? DOCTOR_WARN : DOCTOR_FAIL, "%s",
		    cpu->virtual_machine ?
			     "this machine is itself virtual: have its host "
			     "offer nested virtualization" :
			     "enable VT-x or AMD-V in the firmware");
}

/* Is the parameter on?  *present: does it exist? */
static bool is_on(const struct doctor *d, const char *module, const char *name,
		  bool *present)
{
	char value[16] = "";

	*present = !doctor_line(d, value, sizeof(value),
				"/sys/module/%s/parameters/%s", module, name);
	return *value == 'Y' || *value == 'y' || *value == '1';
}

static bool check_nested_paging(struct doctor *d, const struct cpu *cpu)
{
	const char *module = vendor_module(cpu->vendor);
	const char *name = cpu->vendor == VENDOR_AMD ? "npt" : "ept";
	struct doctor_fact *f;
	bool present = false, on;

	on = cpu->vendor && is_on(d, module, name, &present);
	if (on) {
		doctor_add(d, GROUP_KVM, "nested-paging", "%s",
			   cpu->vendor == VENDOR_AMD ? "NPT" : "EPT");
		return true;
	}
	f = doctor_add(d, GROUP_KVM, "nested-paging", "shadow paging");
	if (!cpu->vendor) {
		doctor_detail(f, "accessed bits are in shadow page tables, "
			      "which KVM discards when guests change their "
			      "page tables");
		doctor_flag(f, DOCTOR_WARN, "use a host with VT-x or AMD-V");
	} else if (!present) {
		snprintf(f->value, sizeof(f->value), "not known");
		doctor_detail(f, "%s is not loaded", module);
		doctor_flag(f, DOCTOR_WARN, "modprobe %s", module);
	} else {
		doctor_detail(f, "%s has %s=N: slow, and accessed bits are in "
			      "shadow page tables", module, name);
		doctor_flag(f, DOCTOR_WARN, "with no guest running: modprobe "
			    "-r %s; modprobe %s %s=1 (on the kernel's command "
			    "line: %s.%s=1); if it stays N, the processor does "
			    "not support it",
			    module, module, name, module, name);
	}
	return false;
}

/* Only with nested paging: the TDP MMU does not handle shadow page tables. */
static void check_tdp_mmu(struct doctor *d)
{
	struct doctor_fact *f;
	bool present;

	if (is_on(d, "kvm", "tdp_mmu", &present)) {
		doctor_add(d, GROUP_KVM, "tdp-mmu", "on");
		return;
	}
	f = doctor_add(d, GROUP_KVM, "tdp-mmu", "%s", present ? "off" :
								 "absent");
	doctor_detail(f, "kvm-young queries KVM page by page, about 1 us each, "
		      "instead of walking the page tables");
	if (present)
		doctor_flag(f, DOCTOR_WARN, "kernel command line: "
			    "kvm.tdp_mmu=1");
	else
		doctor_flag(f, DOCTOR_WARN, "run Linux 5.15 or later, with "
			    "kvm.tdp_mmu=1");
}

/* EPT has accessed bits since Haswell; NPT always has them. */
static void check_ad_bits(struct doctor *d)
{
	struct doctor_fact *f;
	bool present;

	if (is_on(d, "kvm_intel", "eptad", &present)) {
		doctor_add(d, GROUP_KVM, "ept-ad-bits", "on");
		return;
	}
	f = doctor_add(d, GROUP_KVM, "ept-ad-bits", "%s", present ? "off" :
								     "absent");
	doctor_detail(f, "KVM emulates accessed bits by faults: each scanned "
		      "page costs the guest a fault at its next access");
	doctor_flag(f, DOCTOR_WARN, "with no guest running: modprobe -r "
		    "kvm_intel; modprobe kvm_intel eptad=1; if it stays N, the "
		    "processor does not support it: scan less often");
}

void doctor_check_kvm(struct doctor *d)
{
	struct cpu cpu = read_cpu(d);

	check_device(d, &cpu);
	check_virtualization(d, &cpu);
	if (!check_nested_paging(d, &cpu))
		return;
	check_tdp_mmu(d);
	if (cpu.vendor == VENDOR_INTEL)
		check_ad_bits(d);
}
