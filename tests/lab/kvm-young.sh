#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kvm-young module in a level-1 machine: builds against the packaged
# kernel's headers, loads, tells the truth about VMs of its caller's and QEMU's,
# survives stress, unloads, and the kernel logs no warning.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
if [ -n "${kvm_young_kernel-}" ]; then
  lab_kernel "$kvm_young_kernel"
  kver=${kernel##*/vmlinuz-}
else
  require_headers "$release"
  kernel=debian kver=$release headers=$release
fi

lab_module "$tmp/kmod" "$headers" >"$tmp/build.log" 2>&1
ok $? "the module builds without warnings against the headers of $kver"
[ "$nr_failed" = 0 ] || { sed 's/^/# /' "$tmp/build.log"; done_testing; exit 1; }

cat >"$tmp/inside" <<'EOT'
truth=$1 stress=$2 module=$3 source=$4 native=$5 qemu=$6
# Linux 7.3 samples pages of its own accord, and clears their accessed bits.
stat=/sys/module/damon_stat/parameters/enabled
[ ! -e $stat ] || echo N >$stat || exit 1
"$source" absent >"$LAB_OUT/absent" 2>&1
echo $? >"$LAB_OUT/absent.status"
insmod "$module" || exit 1
for backend in ram memfd; do
  timeout 1200 "$qemu" $backend >"$LAB_OUT/qemu-$backend" 2>&1
  echo $? >"$LAB_OUT/qemu-$backend.status"
done
"$source" >"$LAB_OUT/source" 2>&1
echo $? >"$LAB_OUT/source.status"
"$native" --abits kvm-young --mem 32M --rounds 3 --window 200 \
  --pattern all >"$LAB_OUT/patterns" 2>&1
echo $? >"$LAB_OUT/patterns.status"
"$native" --abits kvm-young --mem 256M --huge --rounds 3 --window 200 \
  --pattern all >"$LAB_OUT/huge" 2>&1
echo $? >"$LAB_OUT/huge.status"
echo 64 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
"$native" --abits kvm-young --hugetlb --mem 64M --rounds 3 --window 1500 \
  >"$LAB_OUT/hugetlb" 2>&1
echo $? >"$LAB_OUT/hugetlb.status"
echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
"$truth" >"$LAB_OUT/truth" 2>&1
echo $? >"$LAB_OUT/truth.status"
timeout 1200 "$stress" 10 >"$LAB_OUT/stress" 2>&1
echo $? >"$LAB_OUT/stress.status"
[ "$(cat /sys/module/kvm_young/refcnt)" = 0 ]
echo $? >"$LAB_OUT/refcnt.status"
rmmod kvm_young
echo $? >"$LAB_OUT/rmmod.status"
if grep -qw svm /proc/cpuinfo; then
  modprobe -r kvm_amd && modprobe kvm_amd npt=0
else
  modprobe -r kvm_intel && modprobe kvm_intel ept=0
fi && insmod "$module"
timeout 1200 "$truth" 32 no-walk >"$LAB_OUT/shadow" 2>&1
echo $? >"$LAB_OUT/shadow.status"
rmmod kvm_young
sync
sleep 1
dmesg >"$LAB_OUT/dmesg"
EOT
# shellcheck disable=SC2086 # an option or none
lab_run ${kvm_young_option-} --kernel "$kernel" --timeout 1500 --swap 1G \
  sh "$tmp/inside" \
  "$abs_top_builddir/tests/lab/kmod-truth" \
  "$abs_top_builddir/tests/lab/kmod-stress" "$tmp/kmod/kvm_young.ko" \
  "$abs_top_builddir/tests/lab/kmod-source" \
  "$abs_top_builddir/tests/native/abits-truth" \
  "$abs_top_builddir/tests/lab/kmod-qemu"
is "$lab_status" 0 "the machine ran the tests"
[ "$lab_status" = 0 ] || { done_testing; exit 1; }

lab_parts absent qemu-ram qemu-memfd source patterns huge hugetlb truth stress \
  shadow
is "$(cat "$lab_out/refcnt.status")" 0 "the module has no users"
is "$(cat "$lab_out/rmmod.status")" 0 "it unloads"
# Killed processes and our taint are no complaints; what a bug leaves is.
complaints=$(grep -E 'WARNING|BUG|Oops|Call Trace|stalls? on|lockup|hung task|general protection|page fault|Bad page|refcount|not as expected|Invalid SPTE' \
  "$lab_out/dmesg")
is "$complaints" "" "the kernel logs no warning"
done_testing
