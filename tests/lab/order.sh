#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Double paging: a Linux guest whose memory is full of clean page cache.  What it
# can read from its disk again is not written to the host's swap; the guest drops
# it, and the host has the memory.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require_agent
require mke2fs:e2fsprogs
require_headers "$release"
mkdir -p "$tmp/out/kmod"
lab_module "$tmp/out/kmod" "$release" >"$tmp/build.log" 2>&1 || {
  sed 's/^/# /' "$tmp/build.log"
  ok 1 "the module builds"
  done_testing
  exit 1
}
"$mkguest" --script "$abs_top_srcdir/tests/lab/order-guest.sh" --add "$agent" \
  --module ext4 "$tmp/out/guest.cpio"
lab_exec --timeout 1500 --swap 1G --mem 3G \
  sh "$abs_top_srcdir/tests/lab/order-inside.sh"
