# Lab tests: each boots a level-1 machine of its own (README.md).  VMM_SKIP_LAB=1
# skips them.  Those that take longest come first: none runs alone in the end.
LAB_TESTS = tests/lab/libvirt.sh tests/lab/migrate.sh tests/lab/linux-6.12.sh \
	tests/lab/linux-7.3.sh tests/lab/lab.sh
EXTRA_DIST += tests/lab/README.md tests/lab/debian.sh tests/lab/lab \
	tests/lab/soak tests/lab/soak-inside.sh tests/lab/soak-guest.sh \
	tests/lab/l1init tests/lab/qemu/get-qemu tests/lab/mkinitrd \
	tests/lab/mkguest tests/lab/unpack-kernel tests/lab/functions.sh \
	tests/lab/kernel/build-kernel tests/lab/kernel/get-kernel \
	tests/lab/kernel/get-headers \
	tests/lab/kernel/fragment

# Programs of tests: one for guests, one that runs a guest.
check_PROGRAMS += tests/lab/vsock-cat tests/lab/device-vm
tests_lab_vsock_cat_CFLAGS = $(WARN_CFLAGS) -std=gnu11
tests_lab_vsock_cat_LDFLAGS = -static
tests_lab_device_vm_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_lab_device_vm_LDADD = $(VMM_LIBS)
dist_check_SCRIPTS += tests/lab/devices.sh
EXTRA_DIST += tests/lab/devices-inside.sh tests/lab/devices-guest.sh
LAB_TESTS += tests/lab/devices.sh

LAB_TESTS += tests/lab/kvm-young.sh tests/lab/kvm-young-6.12.sh \
	tests/lab/kvm-young-7.3.sh
check_PROGRAMS += tests/lab/kmod-truth tests/lab/kmod-stress
noinst_HEADERS += tests/lab/kmod-guest.h
tests_lab_kmod_truth_SOURCES = tests/lab/kmod-truth.c tests/lab/kmod-guest.c
tests_lab_kmod_stress_SOURCES = tests/lab/kmod-stress.c tests/lab/kmod-guest.c
check_PROGRAMS += tests/lab/kmod-source
tests_lab_kmod_source_SOURCES = tests/lab/kmod-source.c tests/lab/kmod-guest.c
tests_lab_kmod_source_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_lab_kmod_source_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/lab/kmod-qemu
tests_lab_kmod_qemu_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_lab_kmod_qemu_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/lab/damon-user
tests_lab_damon_user_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_lab_damon_user_LDADD = $(VMM_LIBS)

TESTS += $(LAB_TESTS)
EXTRA_DIST += $(LAB_TESTS)
# Access sources on real nested page tables.
ABITS_LAB_TESTS = tests/lab/guest-pte.sh
LAB_TESTS += $(ABITS_LAB_TESTS)
dist_check_SCRIPTS += $(ABITS_LAB_TESTS)
EXTRA_DIST += tests/lab/abits-inside.sh

# What depends on the host's kernel, on those that are not the installed one.
dist_check_SCRIPTS += tests/lab/linux-6.12.sh tests/lab/linux-7.3.sh
EXTRA_DIST += tests/lab/linux-inside.sh tests/lab/rwp-inside.sh

# How a stock kernel boots, and how guests end.
dist_check_SCRIPTS += tests/lab/boot.sh
EXTRA_DIST += tests/lab/boot-inside.sh tests/lab/boot-guest.sh
LAB_TESTS += tests/lab/boot.sh

# What the agent of a Linux guest reports, compared with the guest's own data.
check_PROGRAMS += tests/lab/agent-truth
tests_lab_agent_truth_CFLAGS = $(WARN_CFLAGS) -std=gnu11
tests_lab_agent_truth_LDFLAGS = -static
dist_check_SCRIPTS += tests/lab/agent.sh
EXTRA_DIST += tests/lab/agent-inside.sh tests/lab/agent-guest.sh
LAB_TESTS += tests/lab/agent.sh

# Who has used a page that two Linux processes share.
check_PROGRAMS += tests/lab/touch-shared
tests_lab_touch_shared_CFLAGS = $(WARN_CFLAGS) -std=gnu11
tests_lab_touch_shared_LDFLAGS = -static
dist_check_SCRIPTS += tests/lab/page-referenced.sh
EXTRA_DIST += tests/lab/page-referenced-inside.sh \
	tests/lab/page-referenced-guest.sh
LAB_TESTS += tests/lab/page-referenced.sh

# The order of reclaim: page cache by the guest itself, and the rest to swap.
dist_check_SCRIPTS += tests/lab/order.sh
EXTRA_DIST += tests/lab/order-inside.sh tests/lab/order-guest.sh
LAB_TESTS += tests/lab/order.sh

# What a host can do, with the module, without, and with obstacles put there.
dist_check_SCRIPTS += tests/lab/doctor.sh
EXTRA_DIST += tests/lab/doctor-inside.sh
LAB_TESTS += tests/lab/doctor.sh
# Intel's page tables, in Bochs: on demand, as it takes many minutes.
dist_check_SCRIPTS += tests/lab/ept.sh
EXTRA_DIST += tests/lab/ept tests/lab/ept-inside.sh
# Idle page tracking, in a kernel that takes ten minutes to build: on demand, too.
dist_check_SCRIPTS += tests/lab/page-idle.sh
.PHONY: check-ept check-lab check-page-idle
check-lab: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(LAB_TESTS)'
check-page-idle: all
	$(srcdir)/tests/lab/kernel/build-kernel
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=tests/lab/page-idle.sh
check-ept: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=tests/lab/ept.sh

# Nodes of guests, and another node as a sink.
dist_check_SCRIPTS += tests/lab/numa.sh
EXTRA_DIST += tests/lab/numa-inside.sh tests/lab/numa-guest.sh
LAB_TESTS += tests/lab/numa.sh

# The workload of the experiment double-paging.
check_PROGRAMS += tests/lab/page-cache
tests_lab_page_cache_SOURCES = tests/lab/page-cache.c \
	tests/payload/latency.c tests/payload/random.c tests/payload/verify.c
tests_lab_page_cache_CFLAGS = $(AM_CFLAGS) -fno-sanitize=all
tests_lab_page_cache_LDFLAGS = -static
EXTRA_DIST += tests/lab/page-cache-guest.sh

# A KVM guest of QEMU: attached to, reclaimed from, detached by SIGKILL.
dist_check_SCRIPTS += tests/lab/attach.sh
EXTRA_DIST += tests/lab/attach-inside.sh tests/lab/attach-guest.sh
LAB_TESTS += tests/lab/attach.sh
# The same migrates, with the ages of its pages; also in tests/native/migrate.sh.
dist_check_SCRIPTS += tests/lab/migrate.sh
EXTRA_DIST += tests/lab/migrate-inside.sh

# KVM domains of libvirt's: attached to by their metadata, plugged into, destroyed.
dist_check_SCRIPTS += tests/lab/libvirt.sh
EXTRA_DIST += tests/lab/libvirt-inside.sh tests/lab/libvirt-guest.sh
