# Tests on this machine's own KVM, with the payload guest; without /dev/kvm
# they are skipped.
NATIVE_TESTS = tests/native/payload-run.sh tests/native/payload-agent.sh \
	tests/native/reclaim-payload.sh tests/native/store-payload.sh \
	tests/native/store-stall.sh tests/native/store-poweroff.sh \
	tests/native/store-damage.sh tests/native/agent-record.sh
	tests/native/store-stall.sh \
	tests/native/store-damage.sh tests/native/agent-record.sh \
	tests/native/evictor.sh
TESTS += $(NATIVE_TESTS)
dist_check_SCRIPTS += $(NATIVE_TESTS)
EXTRA_DIST += tests/native/payload-functions.sh

# Ground truth for access sources; `abits-truth --help` tells its options.
check_PROGRAMS += tests/native/abits-truth
TESTS += tests/native/abits-truth.sh tests/native/abits-soft.sh
dist_check_SCRIPTS += tests/native/abits-truth.sh tests/native/abits-soft.sh
noinst_HEADERS += tests/native/truth.h
tests_native_abits_truth_SOURCES = tests/native/abits-truth.c \
	tests/native/truth-patterns.c tests/native/truth-period.c \
	tests/native/truth.h
tests_native_abits_truth_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_native_abits_truth_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/native/agent-view
TESTS += tests/native/agent-view
tests_native_agent_view_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_native_agent_view_LDADD = $(VMM_LIBS)
TESTS += tests/native/run-refusals.sh tests/native/console.sh \
	tests/native/wss.sh tests/native/hugetlb.sh \
	tests/native/reclaim-thp.sh
dist_check_SCRIPTS += tests/native/run-refusals.sh tests/native/console.sh \
	tests/native/wss.sh tests/native/hugetlb.sh \
	tests/native/reclaim-thp.sh
TESTS += tests/native/doctor.sh
dist_check_SCRIPTS += tests/native/doctor.sh
check_PROGRAMS += tests/native/two-vms
TESTS += tests/native/two-vms
tests_native_two_vms_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_native_two_vms_LDADD = $(VMM_LIBS)

# The VMs of other processes.
check_PROGRAMS += tests/native/vm-fd
TESTS += tests/native/vm-fd
tests_native_vm_fd_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_native_vm_fd_LDADD = $(VMM_LIBS)

# Memory moves between guests.
TESTS += tests/native/balance.sh
dist_check_SCRIPTS += tests/native/balance.sh
# In a real terminal.
TESTS += tests/native/top.sh
dist_check_SCRIPTS += tests/native/top.sh
TESTS += tests/native/nodes.sh tests/native/prefetch.sh tests/native/metrics.sh
dist_check_SCRIPTS += tests/native/nodes.sh tests/native/prefetch.sh \
	tests/native/metrics.sh
TESTS += tests/native/experiment.sh
dist_check_SCRIPTS += tests/native/experiment.sh

# What a stop by signal is to come to, on a busy machine too.
EXTRA_DIST += tests/native/stop-functions.sh

# With a libvirt of their own.
EXTRA_DIST += tests/native/libvirt-functions.sh
TESTS += tests/native/libvirt.sh
dist_check_SCRIPTS += tests/native/libvirt.sh
TESTS += tests/native/libvirt-agent.sh
dist_check_SCRIPTS += tests/native/libvirt-agent.sh
# Guests of QEMU, which emulates; needs no KVM.
TESTS += tests/native/attach.sh
dist_check_SCRIPTS += tests/native/attach.sh
TESTS += tests/native/attach-libvirt.sh
dist_check_SCRIPTS += tests/native/attach-libvirt.sh
TESTS += tests/native/attach-plug.sh
dist_check_SCRIPTS += tests/native/attach-plug.sh
# Takes from guests of QEMU's, and is killed.
check_PROGRAMS += tests/native/attach-evict
tests_native_attach_evict_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_native_attach_evict_LDADD = $(VMM_LIBS)
TESTS += tests/native/migrate.sh
dist_check_SCRIPTS += tests/native/migrate.sh
TESTS += tests/native/attach-save.sh
dist_check_SCRIPTS += tests/native/attach-save.sh
TESTS += tests/native/dommemstat.sh
dist_check_SCRIPTS += tests/native/dommemstat.sh
TESTS += tests/native/remote-hosts.sh
dist_check_SCRIPTS += tests/native/remote-hosts.sh
TESTS += tests/native/attach-evict.sh
dist_check_SCRIPTS += tests/native/attach-evict.sh
EXTRA_DIST += tests/native/attach-guest
# Hostile guests against the devices.
TESTS += tests/native/hostile.sh tests/native/stop.sh
dist_check_SCRIPTS += tests/native/hostile.sh tests/native/stop.sh
