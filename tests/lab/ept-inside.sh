# SPDX-License-Identifier: GPL-2.0-or-later
# The inner part of ept.sh, by busybox' sh in the emulated Intel machine.  A
# line `== NAME` begins a part, `== NAME exit STATUS` ends it.
part() { # NAME COMMAND...
  name=$1
  shift
  echo "== $name"
  "$@" 2>&1
  echo "== $name exit $?"
}
facts() {
  echo "kernel $(uname -r)"
  sed -n 's/^model name[^:]*: */cpu /p' /proc/cpuinfo
  for parameter in ept eptad unrestricted_guest pml; do
    echo "$parameter $(cat /sys/module/kvm_intel/parameters/$parameter)"
  done
  echo "tdp_mmu $(cat /sys/module/kvm/parameters/tdp_mmu)"
}

part facts facts
part insmod insmod /bin/kvm_young.ko
part truth kmod-truth 16
part source abits-truth --abits kvm-young --mem 16M --rounds 3 --window 200
part rmmod rmmod kvm_young
# As on processors older than Haswell: KVM takes accesses by faults, and the module
# must leave the entries alone.
part eptad-off sh -c "rmmod kvm_intel && insmod /modules/kvm-intel.ko eptad=0 &&
  insmod /bin/kvm_young.ko && cat /sys/module/kvm_intel/parameters/eptad"
part without kmod-truth 16 no-walk
part rmmod-again rmmod kvm_young
part complaints sh -c "dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|stalls? on|lockup|hung task|general protection|page fault|Bad page|refcount|not as expected|Invalid SPTE'"
