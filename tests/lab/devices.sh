#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The virtio devices with a stock Debian kernel in the guest.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
require socat
command -v ip >/dev/null || PATH=$PATH:/usr/sbin:/sbin
require ip:iproute2

mkdir -p "$tmp/out"
dd if=/dev/urandom of="$tmp/out/blob" bs=64k count=32 2>/dev/null
md5sum <"$tmp/out/blob" >"$tmp/md5"
"$mkguest" --script "$srcdir/tests/lab/devices-guest.sh" \
  --add "${abs_top_builddir:-build}/tests/lab/vsock-cat" \
  --add "$tmp/out/blob=/blob" --add "$tmp/md5=/md5" "$tmp/out/guest.cpio"
trap - EXIT
lab_exec --timeout 1500 sh "$srcdir/tests/lab/devices-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
