#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm attach serves a KVM guest of QEMU by its nested page tables: reclaim, ages,
# SIGKILL at random under a writing workload, migration.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
require curl jq
require_headers "$release"
mkdir -p "$tmp/out"
lab_module "$tmp/out/kmod" "$release" >"$tmp/build.log" 2>&1 || {
  sed 's/^/# /' "$tmp/build.log"
  exit 1
}
"$mkguest" --kernel none --script "$srcdir/tests/lab/attach-guest.sh" \
  "$tmp/out/guest.cpio" || exit 1
ATTACH_KERNEL=$LAB_GUEST_KERNEL
ATTACH_SOURCE=${ATTACH_SOURCE:-kvm-young}
ATTACH_KILLS=${ATTACH_KILLS:-30}
# Private memory is what most guests have, with huge pages where they are on.
ATTACH_MEMORY=${ATTACH_MEMORY-}
export ATTACH_KERNEL ATTACH_SOURCE ATTACH_KILLS ATTACH_MEMORY
trap - EXIT
lab_exec --kernel "$kernel" --timeout 1500 --swap 1G --env ATTACH_KERNEL \
  --env ATTACH_SOURCE --env ATTACH_KILLS --env ATTACH_MEMORY \
  sh "$srcdir/tests/lab/attach-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
