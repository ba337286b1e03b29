#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that QEMU emulates migrates to another QEMU, is saved and restored, with
# the ages of its pages; these are the time since a page came, as nobody sees the
# guest's accesses here.  tests/lab/migrate.sh does it with a KVM guest.
. "${abs_top_srcdir:-.}/tests/functions.sh"
for need in qemu-system-x86_64:qemu-system-x86 socat:socat curl:curl jq:jq \
  cpio:cpio busybox:busybox-static; do
  command -v "${need%%:*}" >/dev/null ||
    skip_all "${need%%:*} not found: install the Debian package ${need#*:}"
done
[ "$(id -u)" = 0 ] || skip_all "the memory of others is root's to look at"
MIGRATE_KERNEL=$(printf '%s\n' /boot/vmlinuz-*-amd64 | sort -V | tail -n 1)
[ -r "$MIGRATE_KERNEL" ] ||
  skip_all "no packaged kernel: install the Debian package linux-image-amd64"
[ "$(awk '/^SwapFree/ { print $2 }' /proc/meminfo)" -gt 500000 ] ||
  skip_all "less than 500 MB of swap are free: vmm doctor tells how to have it"
"$srcdir/tests/lab/mkguest" --kernel none \
  --script "$srcdir/tests/lab/attach-guest.sh" "$tmp/guest.cpio" || exit 1
MIGRATE_GUEST=$tmp/guest.cpio MIGRATE_ACCEL=tcg MIGRATE_SOURCE=blind
export MIGRATE_GUEST MIGRATE_ACCEL MIGRATE_SOURCE MIGRATE_KERNEL
status=0
sh "$srcdir/tests/lab/migrate-inside.sh" || status=$?
exit $status
