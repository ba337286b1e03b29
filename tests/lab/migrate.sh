#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A KVM guest migrates between two QEMUs, with the ages of its pages by nested
# page tables; is saved and restored.  tests/native/migrate.sh is the same with
# QEMU's emulator, where nobody sees accesses.
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
trap - EXIT
# shellcheck disable=SC2016 # LAB_OUT is the machine's
lab_exec --kernel "$kernel" --timeout 1500 --swap 1G \
  --env MIGRATE_ACCEL=kvm --env MIGRATE_SOURCE=kvm-young \
  --env MIGRATE_KERNEL="$LAB_GUEST_KERNEL" \
  sh -c 'MIGRATE_GUEST=$LAB_OUT/guest.cpio; export MIGRATE_GUEST
    . "$abs_top_srcdir/tests/lab/migrate-inside.sh"'
status=$?
rm -rf "$tmp"
exit $status
