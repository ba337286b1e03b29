#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What depends on the host's kernel, on Linux 6.12, in one machine: DAMON as a
# source of accessed bits and as a sink, and the doctor's remedy for the kernel's
# own user of it; the store's pages as userfaultfd and SIGBUS are there; reclaim by
# kvm-young to swap and to the store; vmm attach.
# linux-7.3.sh is the same on Linux 7.3, and rwp, which older ones have not.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
require curl jq
lab_kernel "${lab_linux:-6.12}"
mkdir -p "$tmp/out"
lab_module "$tmp/out/kmod" "$headers" >"$tmp/build.log" 2>&1 || {
  sed 's/^/# /' "$tmp/build.log"
  exit 1
}
"$mkguest" --kernel none --script "$srcdir/tests/lab/attach-guest.sh" \
  "$tmp/out/guest.cpio" || exit 1

lab_run --kernel "$kernel" --timeout 1500 --swap 2G \
  --env ATTACH_KERNEL="$LAB_GUEST_KERNEL" --env ATTACH_SOURCE=kvm-young \
  --env ATTACH_KILLS=2 sh "$srcdir/tests/lab/linux-inside.sh"
is "$lab_status" 0 "the machine ran the tests"
rwp=
[ "${lab_linux-}" != 7.3 ] || rwp='rwp rwp-swap'
# shellcheck disable=SC2086 # names
lab_parts doctor damon sink-damon sink-lost sink-store $rwp swap store attach
is "$(cat "$lab_out/complaints")" "" "the kernel logs no warning"
done_testing
