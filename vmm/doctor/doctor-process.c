// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One process that runs a VM: whether its memory can be reclaimed.  The kernel
 * does not report which mappings are guest memory, so every writable mapping of
 * at least MIN_GUEST is counted as such: VMMs have no others but large heaps.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/doctor/doctor-internal.h"
#include "vmm/util/cleanup.h"
#include "vmm/util/error-text.h"
#include "vmm/util/size.h"

#define MIN_GUEST (UINT64_C(16) << 20)

struct areas {		/* bytes of such mappings */
	uint64_t all, locked, hugetlb;
};

static int read_areas(const struct doctor *d, const char *pid,
		      struct areas *areas)
{
	__cleanup_fclose FILE *f = doctor_fopen(d, "/proc/%s/smaps", pid);
	unsigned long long start, end;
	uint64_t size = 0;
	char line[1024], perms[5];

	*areas = (struct areas){ 0 };
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		/* The flags are the last line of each mapping. */
		if (!strncmp(line, "VmFlags:", 8)) {
			areas->all += size;
			if (doctor_has_word(line + 8, "lo", " \n"))
				areas->locked += size;
			if (doctor_has_word(line + 8, "ht", " \n"))
				areas->hugetlb += size;
			size = 0;
		} else if (sscanf(line, "%llx-%llx %4s", &start, &end,
				  perms) == 3) {
			size = end - start;
			if (perms[1] != 'w' || size < MIN_GUEST)
				size = 0;
		}
	}
	return 0;
}

static void refuse(struct doctor *d, const char *pid, int err)
{
	struct doctor_fact *f;

	if (err == -ENOENT || err == -ESRCH) {
		f = doctor_add(d, GROUP_PROCESS, "vm", "no process %s", pid);
		doctor_flag(f, DOCTOR_FAIL, "name a process that runs a VM: "
			    "pgrep -a 'vmm|qemu'");
		return;
	}
	f = doctor_add(d, GROUP_PROCESS, "vm", "process %s: %s", pid,
		       error_text(-err));
	doctor_flag(f, DOCTOR_FAIL, "run as root, or as its user");
}

/* Adds a fact; false: the process runs no VM, or that cannot be known. */
static bool check_vm(struct doctor *d, const char *pid,
		     struct doctor_fds *fds)
{
	struct doctor_fact *f;
	char comm[32] = "?";
	int err = doctor_read_fds(d, pid, fds);

	if (err) {
		refuse(d, pid, err);
		return false;
	}
	doctor_line(d, comm, sizeof(comm), "/proc/%s/comm", pid);
	f = doctor_add(d, GROUP_PROCESS, "vm", "process %s, %s: %u VM", pid,
		       comm, fds->nr_vms);
	if (fds->nr_vms)
		return true;
	doctor_detail(f, "it does not run a VM: it has no file descriptor of a "
		      "KVM VM");
	doctor_flag(f, DOCTOR_FAIL, "name a process that runs a VM: pgrep -a "
		    "'vmm|qemu'");
	return false;
}

static void check_bytes(struct doctor *d, const char *name, uint64_t bytes,
			const char *detail, const char *remedy)
{
	struct doctor_fact *f;
	char size[16];

	if (!bytes) {
		doctor_add(d, GROUP_PROCESS, name, "none");
		return;
	}
	f = doctor_add(d, GROUP_PROCESS, name, "%s",
		       size_format(bytes, size, sizeof(size)));
	doctor_detail(f, "%s", detail);
	doctor_flag(f, DOCTOR_FAIL, "%s", remedy);
}

static void check_memory(struct doctor *d, const char *pid,
			 const struct doctor_fds *fds)
{
	uint64_t vm_lck = 0, vm_pin = 0;
	struct doctor_fact *f;
	struct areas areas;
	char size[16];
	int err = read_areas(d, pid, &areas);

	if (err) {
		refuse(d, pid, err);
		return;
	}
	doctor_field_kib(d, &vm_lck, "VmLck:", "/proc/%s/status", pid);
	doctor_field_kib(d, &vm_pin, "VmPin:", "/proc/%s/status", pid);
	doctor_add(d, GROUP_PROCESS, "guest-memory", "%s in large areas",
		   size_format(areas.all, size, sizeof(size)));
	/* VFIO counts what it pins as locked, without a flag on the VMAs. */
	check_bytes(d, "locked", areas.locked ? areas.locked :
		    fds->nr_vfio || vm_lck >= MIN_GUEST ? vm_lck : 0,
		    "guest memory that is locked cannot be reclaimed",
		    "start the VM without locking: QEMU -overcommit "
		    "mem-lock=off; libvirt: no <locked/>");
	check_bytes(d, "pinned", vm_pin, "pages that are pinned for DMA cannot "
		    "be reclaimed",
		    "start the VM without passed-through devices, "
		    "RDMA and io_uring's fixed buffers");
	check_bytes(d, "hugetlb", areas.hugetlb, "pages of hugetlbfs cannot be "
		    "swapped out", "start the VM on anonymous memory or memfd, "
		    "with transparent huge pages");
	f = doctor_add(d, GROUP_PROCESS, "vfio", fds->nr_vfio ?
		       "%u descriptors" : "none", fds->nr_vfio);
	if (fds->nr_vfio) {
		doctor_detail(f, "a passed-through device pins all memory of "
			      "the guest: nothing can be reclaimed");
		doctor_flag(f, DOCTOR_FAIL, "use virtio devices in this VM");
	}
}

void doctor_check_process(struct doctor *d, pid_t pid)
{
	struct doctor_fds fds;
	char name[16];

	d->pid_given = true;
	snprintf(name, sizeof(name), "%d", (int)pid);
	if (!check_vm(d, name, &fds))
		return;
	check_memory(d, name, &fds);
	doctor_check_cgroup(d, GROUP_PROCESS, name);
}
