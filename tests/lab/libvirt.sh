#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm attach --all with KVM domains of libvirt's: policies of their metadata, the
# agents of their channels, domains destroyed while they are scanned, memory that
# is plugged in, in huge pages, and locked.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require_agent
require libvirtd:libvirt-daemon-system virsh:libvirt-clients socat \
  mke2fs:e2fsprogs
require_libvirt_build
require_headers "$release"
mkdir -p "$tmp/out" "$tmp/files"
lab_module "$tmp/out/kmod" "$release" >"$tmp/build.log" 2>&1 || {
  sed 's/^/# /' "$tmp/build.log"
  exit 1
}
"$mkguest" --script "$srcdir/tests/lab/libvirt-guest.sh" --add "$agent" \
  --add "$srcdir/tests/lab/attach-guest.sh=work.sh" --module ext4 \
  "$tmp/out/guest.cpio" || exit 1
head -c 24M /dev/urandom >"$tmp/files/file"
mke2fs -q -t ext4 -d "$tmp/files" "$tmp/out/disk" 40M || exit 1
LIBVIRT_KERNEL=$LAB_GUEST_KERNEL
LIBVIRT_STARTS=${LIBVIRT_STARTS:-2}
export LIBVIRT_KERNEL LIBVIRT_STARTS
trap - EXIT
lab_exec --kernel "$kernel" --timeout 1500 --swap 1G --env LIBVIRT_KERNEL \
  --env LIBVIRT_STARTS sh "$srcdir/tests/lab/libvirt-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
