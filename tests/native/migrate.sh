#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that QEMU emulates migrates to another QEMU, is saved and restored,
# with the ages of its pages; these are the time since a page became resident,
# as no source detects the guest's accesses here. tests/lab/migrate.sh does the
# same with a KVM guest.
. "${abs_top_srcdir:-.}/tests/functions.sh"
require qemu-system-x86_64:qemu-system-x86 curl jq cpio \
  busybox:busybox-static
require_root "the memory of others is root's to look at"
require_kernel
MIGRATE_KERNEL=$kernel
require_swap 500
"$srcdir/tests/lab/mkguest" --kernel none \
  --script "$srcdir/tests/lab/attach-guest.sh" "$tmp/guest.cpio" || exit 1
MIGRATE_GUEST=$tmp/guest.cpio MIGRATE_ACCEL=tcg MIGRATE_SOURCE=age-only
export MIGRATE_GUEST MIGRATE_ACCEL MIGRATE_SOURCE MIGRATE_KERNEL
status=0
sh "$srcdir/tests/lab/migrate-inside.sh" || status=$?
exit $status
