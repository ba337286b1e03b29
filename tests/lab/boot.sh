#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stock Debian kernel under `vmm run`: it boots, and each way to end shows.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
mkdir -p "$tmp/out"
"$mkguest" --script "$srcdir/tests/lab/boot-guest.sh" --module pvpanic-mmio \
  "$tmp/out/guest.cpio"
trap - EXIT
lab_exec --timeout 1500 sh "$srcdir/tests/lab/boot-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
