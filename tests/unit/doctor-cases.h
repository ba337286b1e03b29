/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host without any problem, and obstacles on other hosts. */
#ifndef TESTS_UNIT_DOCTOR_CASES_H
#define TESTS_UNIT_DOCTOR_CASES_H

#include "vmm/doctor/doctor.h"

#define THP  "/sys/kernel/mm/transparent_hugepage/"
#define CPU  "/proc/cpuinfo"
#define CG   "/sys/fs/cgroup"
#define INFO "24 1 0:22 / /sys/fs/cgroup rw - "

/* A text that begins with LINK is where a symbolic link leads. */
#define LINK "->"
/* Nothing there, and nothing below it either. */
#define ABSENT NULL

struct file {
	const char *path, *text;
};

/* Two nodes, EPT, 64 GiB, 16 GiB of swap; `vmm` runs as root. */
static const struct file good_host[] = {
	{ "/proc/self/status", "Name:\tvmm\nCapEff:\t000001ffffffffff\n" },
	{ "/proc/self/cgroup", "0::/machines/web\n" },
	{ "/proc/self/mountinfo", INFO "cgroup2 cgroup2 rw\n" },
	{ CG "/machines/memory.max", "max\n" },
	{ CG "/machines/web/memory.max", "max\n" },
	{ CG "/machines/web/memory.high", "max\n" },
	{ CG "/machines/web/memory.swap.max", "max\n" },
	{ CPU, "processor\t: 0\nflags\t\t: fpu vmx ept\n" },
	{ "/proc/meminfo", "MemTotal: 67108864 kB\n"
			   "MemAvailable: 33554432 kB\n" },
	{ "/proc/modules", "kvm_young 16384 0 - Live 0x0\n" },
	{ "/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 "
				   "total=7\n" },
	{ "/proc/swaps", "Filename Type Size Used Priority\n"
			 "/dev/zram0 partition 16777216 1024 100\n" },
	{ "/proc/sys/kernel/numa_balancing", "0\n" },
	{ "/proc/sys/kernel/osrelease", "6.1.0-99-amd64\n" },
	{ "/proc/sys/kernel/unprivileged_bpf_disabled", "2\n" },
	{ "/proc/sys/vm/swappiness", "60\n" },
	{ "/proc/sys/vm/unprivileged_userfaultfd", "0\n" },
	{ "/sys/devices/system/node/has_memory", "0-1\n" },
	{ "/sys/devices/system/node/node0/cpulist", "0\n" },
	{ "/sys/devices/system/node/node1/cpulist", "1\n" },
	{ "/sys/kernel/mm/ksm/run", "0\n" },
	{ "/sys/kernel/mm/ksm/pages_sharing", "0\n" },
	{ "/sys/kernel/mm/lru_gen/enabled", "0x0000\n" },
	{ "/sys/kernel/security/lockdown",
	  "[none] integrity confidentiality\n" },
	{ "/sys/module/kvm/parameters/tdp_mmu", "Y\n" },
	{ "/sys/module/kvm_intel/parameters/ept", "Y\n" },
	{ "/sys/module/kvm_intel/parameters/eptad", "Y\n" },
	{ "/sys/module/kvm_young/refcnt", "0\n" },
	{ "/sys/module/zswap/parameters/enabled", "N\n" },
	{ "/sys/module/zswap/parameters/compressor", "lz4\n" },
	{ THP "enabled", "always [madvise] never\n" },
	{ THP "shmem_enabled", "always within_size [advise] never deny\n" },
	{ THP "defrag", "always defer [defer+madvise] madvise never\n" },
	{ "/dev/kvm", LINK "/dev/kvm" },
	{ "/dev/kvm-young", "" },
	/* Process 77, a VM that nothing is wrong with. */
	{ "/proc/77/comm", "vmm\n" },
	{ "/proc/77/cgroup", "0::/machines/web\n" },
	{ "/proc/77/status", "VmLck:\t 0 kB\nVmPin:\t 0 kB\n" },
	{ "/proc/77/fd/3", LINK "anon_inode:kvm-vm" },
	{ "/proc/77/smaps",
	  "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
	  "Size: 1048576 kB\nVmFlags: rd wr mr mw me ac\n"
	  "7f0050000000-7f0050001000 rw-p 00000000 00:00 0 \n"
	  "Size: 4 kB\nVmFlags: rd wr mr mw me lo\n" },
};

struct doctor_case {
	const char *what;
	struct file changes[4];		/* ends with a path of NULL */
	const char *group, *name;	/* the fact, and what it is to say: */
	enum doctor_status status;
	const char *value, *remedy;	/* parts of them */
	unsigned int nr_bad;		/* facts that are not all right */
};

#define WARN DOCTOR_WARN
#define FAIL DOCTOR_FAIL

static const struct doctor_case cases[] = {
	/* KVM */
	{ "no /dev/kvm, of Intel", { { "/dev/kvm", ABSENT } }, "kvm",
	  "/dev/kvm", FAIL, "absent", "modprobe kvm_intel", 1 },
	{ "no /dev/kvm, of AMD", { { "/dev/kvm", ABSENT },
	    { CPU, "flags : fpu svm npt\n" },
	    { "/sys/module/kvm_amd/parameters/npt", "Y\n" } }, "kvm",
	  "/dev/kvm", FAIL, "absent", "modprobe kvm_amd", 1 },
	{ "a file in its place", { { "/dev/kvm", "" } }, "kvm", "/dev/kvm",
	  FAIL, "is not a KVM device", "kvm module", 1 },
	{ "no virtualization at all", { { "/dev/kvm", ABSENT },
	    { CPU, "flags : fpu\n" } }, "kvm", "virtualization", FAIL, "none",
	  "in the firmware", 3 },
	{ "none inside of a VM", { { "/dev/kvm", ABSENT },
	    { CPU, "flags : fpu hypervisor\n" } }, "kvm", "virtualization",
	  FAIL, "none", "nested virtualization", 3 },
	{ "no nested paging", { { "/sys/module/kvm_intel/parameters/ept",
	    "N\n" } }, "kvm", "nested-paging", WARN, "shadow paging",
	  "modprobe kvm_intel ept=1", 1 },
	{ "its module is not loaded", { { "/sys/module/kvm_intel", ABSENT } },
	  "kvm", "nested-paging", WARN, "not known", "modprobe kvm_intel", 1 },
	{ "no TDP MMU", { { "/sys/module/kvm/parameters/tdp_mmu", "N\n" } },
	  "kvm", "tdp-mmu", WARN, "off", "kvm.tdp_mmu=1", 1 },
	{ "no accessed bits in EPT", {
	    { "/sys/module/kvm_intel/parameters/eptad", "N\n" } }, "kvm",
	  "ept-ad-bits", WARN, "off", "eptad=1", 1 },
	/* Accessed bits */
	{ "lockdown", { { "/sys/kernel/security/lockdown",
	    "none [integrity] confidentiality\n" } }, "accessed bits",
	  "lockdown", WARN, "integrity", "sign kvm_young.ko", 1 },
	{ "MGLRU", { { "/sys/kernel/mm/lru_gen/enabled", "0x0007\n" } },
	  "accessed bits", "mglru", WARN, "on (0x0007)", "lru_gen/enabled", 1 },
	{ "NUMA balancing", { { "/proc/sys/kernel/numa_balancing", "1\n" } },
	  "accessed bits", "numa-balancing", WARN, "on",
	  "sysctl kernel.numa_balancing=0", 1 },
	{ "KSM", { { "/sys/kernel/mm/ksm/run", "1\n" },
	    { "/sys/kernel/mm/ksm/pages_sharing", "12\n" } }, "accessed bits",
	  "ksm", WARN, "on, 12 pages", "echo 2 >", 1 },
	{ "damon_stat", { { "/sys/module/damon_stat/parameters/enabled",
	    "Y\n" } }, "accessed bits", "damon-user", WARN, "damon_stat",
	  "echo N >/sys/module/damon_stat/parameters/enabled", 1 },
	{ "damon_lru_sort", {
	    { "/sys/module/damon_stat/parameters/enabled", "N\n" },
	    { "/sys/module/damon_lru_sort/parameters/enabled", "Y\n" } },
	  "accessed bits", "damon-user", WARN, "damon_lru_sort",
	  "damon_lru_sort.enabled=0", 1 },
	{ "no privilege", { { "/proc/self/status",
	    "CapEff:\t0000000000000000\n" } }, "accessed bits", "page-frames",
	  WARN, "hidden", "CAP_SYS_ADMIN", 3 },
	{ "BPF without privilege", { { "/proc/self/status",
	    "CapEff:\t0000000000000000\n" } }, "accessed bits", "bpf", WARN,
	  "not permitted", "CAP_BPF", 3 },
	{ "no BPF", { { "/proc/sys/kernel/unprivileged_bpf_disabled",
	    ABSENT } }, "accessed bits", "bpf", WARN, "absent",
	  "CONFIG_BPF_SYSCALL", 1 },
	{ "the module's device is missing", { { "/dev/kvm-young", ABSENT } },
	  "accessed bits", "module", WARN, "is loaded", "devtmpfs", 1 },
	{ "no headers for the module", { { "/sys/module/kvm_young",
	    ABSENT } }, "accessed bits", "module", WARN, "not loaded",
	  "install linux-headers-6.1.0-99-amd64", 1 },
	{ "the module is not built", { { "/sys/module/kvm_young", ABSENT },
	    { "/lib/modules/6.1.0-99-amd64/build/Makefile", "" } },
	  "accessed bits", "module", WARN, "not loaded", "make kmod", 1 },
	{ "the module is installed", { { "/sys/module/kvm_young", ABSENT },
	    { "/lib/modules/6.1.0-99-amd64/updates/dkms/kvm_young.ko.xz",
	      "" } }, "accessed bits", "module", WARN, "not loaded",
	  "modprobe kvm_young", 1 },
	{ "no modules", { { "/sys/module/kvm_young", ABSENT },
	    { "/proc/modules", ABSENT } }, "accessed bits", "module", WARN,
	  "not loaded", "CONFIG_MODULES", 1 },
	/* Reclaim */
	{ "no userfaultfd", { { "/proc/sys/vm/unprivileged_userfaultfd",
	    ABSENT } }, "reclaim", "userfaultfd", WARN, "absent",
	  "CONFIG_USERFAULTFD", 1 },
	{ "userfaultfd for root only", { { "/proc/self/status",
	    "CapEff:\t0000000000200000\n" } }, "reclaim", "userfaultfd", WARN,
	  "present", "sysctl vm.unprivileged_userfaultfd=1", 1 },
	{ "no swap", { { "/proc/swaps",
	    "Filename Type Size Used Priority\n" } }, "reclaim", "swap", WARN,
	  "none", "modprobe zram", 1 },
	{ "swap is full", { { "/proc/swaps",
	    "/dev/zram0 partition 16777216 16777000 100\n" } }, "reclaim",
	  "swap", WARN, "of 16.0 GiB", "swapon", 1 },
	{ "little swap", { { "/proc/swaps",
	    "/dev/zram0 partition 1048576 0 100\n" } }, "reclaim", "swap",
	  WARN, "of 1.0 GiB", "swapon", 1 },
	{ "compressed twice", { { "/sys/module/zswap/parameters/enabled",
	    "Y\n" } }, "reclaim", "zswap", WARN, "on, lz4", "echo N", 1 },
	{ "not compressed", { { "/proc/swaps",
	    "/dev/sda2 partition 16777216 0 100\n" } }, "reclaim", "zswap",
	  WARN, "off", "echo Y", 1 },
	{ "no swap in the kernel", { { "/proc/sys/vm/swappiness", ABSENT } },
	  "reclaim", "swappiness", WARN, "absent", "CONFIG_SWAP", 1 },
	{ "swappiness 0", { { "/proc/sys/vm/swappiness", "0\n" } }, "reclaim",
	  "swappiness", WARN, "0", "vm.swappiness=60", 1 },
	{ "little memory", { { "/proc/meminfo", "MemTotal: 67108864 kB\n"
	    "MemAvailable: 1048576 kB\n" } }, "reclaim", "memory", WARN,
	  "1.0 GiB available", "vmm policy", 1 },
	{ "memory pressure", { { "/proc/pressure/memory",
	    "some avg10=31.25 avg60=0.00\n" } }, "reclaim", "psi", WARN,
	  "31.25 %", "lower the targets of guests with cold memory", 1 },
	{ "no PSI", { { "/proc/pressure/memory", ABSENT } }, "reclaim", "psi",
	  WARN, "absent", "psi=1", 1 },
	{ "no THP", { { "/sys/kernel/mm/transparent_hugepage", ABSENT } },
	  "reclaim", "thp", WARN, "absent", "CONFIG_TRANSPARENT_HUGEPAGE", 1 },
	{ "THP are off", { { THP "enabled", "always madvise [never]\n" } },
	  "reclaim", "thp", WARN, "never", "echo madvise", 1 },
	{ "compaction in faults", { { THP "defrag", "[always] never\n" } },
	  "reclaim", "thp-defrag", WARN, "always", "echo defer+madvise", 1 },
	{ "a VM with a VFIO device", { { "/dev/vfio/12", "" },
	    { "/proc/77/fd/4", LINK "/dev/vfio/12" } }, "reclaim", "vfio",
	  WARN, "1 group, 1 in use", "virtio", 1 },
	{ "a limit of the cgroup above", { { CG "/machines/memory.max",
	    "1073741824\n" } }, "reclaim", "cgroup-memory", WARN,
	  "1.0 GiB, by /machines", "/machines/memory.max", 1 },
	{ "a cgroup beside the mounted one", { { "/proc/self/cgroup",
	    "0::/webserver\n" }, { "/proc/self/mountinfo",
	    "24 1 0:22 /web /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" },
	    { CG "/webserver/memory.max", "1073741824\n" } }, "reclaim",
	  "cgroup-memory", WARN, "1.0 GiB, by /webserver",
	  "/webserver/memory.max", 1 },
	{ "a throttle", { { CG "/machines/web/memory.high", "1048576\n" } },
	  "reclaim", "cgroup-high", WARN, "1.0 MiB", "web/memory.high", 1 },
	{ "no swap for the cgroup", { { CG "/machines/web/memory.swap.max",
	    "0\n" } }, "reclaim", "cgroup-swap", WARN, "0 B",
	  "echo max >/sys/fs/cgroup/machines/web/memory.swap.max", 1 },
	{ "a limit of version 1", { { "/proc/self/cgroup",
	    "4:memory:/web\n0::/\n" }, { "/proc/self/mountinfo",
	    INFO "cgroup cgroup rw,memory\n" }, { CG "/web/memory.stat",
	    "cache 1\nhierarchical_memory_limit 2147483648\n"
	    "hierarchical_memsw_limit 9223372036854771712\n" } }, "reclaim",
	  "cgroup-memory", WARN, "2.0 GiB", "limit_in_bytes", 1 },
	{ NULL, { { NULL, NULL } }, NULL, NULL, WARN, NULL, NULL, 0 },
};

static const struct doctor_case process_cases[] = {
	{ "no such process", { { "/proc/77", ABSENT } }, "process", "vm", FAIL,
	  "no process 77", "pgrep", 1 },
	{ "a process without a VM", { { "/proc/77/fd/3", LINK "/dev/kvm" } },
	  "process", "vm", FAIL, "0 VM", "pgrep", 1 },
	{ "locked memory", { { "/proc/77/smaps",
	    "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n"
	    "VmFlags: rd wr lo\n" } }, "process", "locked", FAIL, "1.0 GiB",
	  "mem-lock=off", 1 },
	{ "pinned memory", { { "/proc/77/status",
	    "VmLck: 0 kB\nVmPin: 2048 kB\n" } }, "process", "pinned", FAIL,
	  "2.0 MiB", "io_uring", 1 },
	{ "hugetlb pages", { { "/proc/77/smaps",
	    "7f0000000000-7f0040000000 rw-s 00000000 00:0f 1 /anon_huge\n"
	    "VmFlags: rd wr de ht\n" } }, "process", "hugetlb", FAIL,
	  "1.0 GiB", "transparent", 1 },
	{ "a VFIO device", { { "/proc/77/fd/4",
	    LINK "anon_inode:[vfio-device]" } }, "process", "vfio", FAIL,
	  "1 descriptors", "virtio", 1 },
	{ "its cgroup may not swap", { { "/proc/77/cgroup", "0::/small\n" },
	    { CG "/small/memory.swap.max", "0\n" },
	    { CG "/small/memory.max", "max\n" } }, "process", "cgroup-swap",
	  WARN, "0 B", "/small/memory.swap.max", 1 },
	{ NULL, { { NULL, NULL } }, NULL, NULL, WARN, NULL, NULL, 0 },
};

#undef WARN
#undef FAIL

#endif
