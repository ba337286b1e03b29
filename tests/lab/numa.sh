#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# NUMA, in a machine with two nodes: a stock Debian guest is told of nodes, its
# memory is where they are placed, and cold pages move between nodes.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
require curl jq
mkdir -p "$tmp/out"
"$mkguest" --script "$srcdir/tests/lab/numa-guest.sh" "$tmp/out/guest.cpio"
trap - EXIT
lab_exec --nodes 2 --timeout 1500 sh "$srcdir/tests/lab/numa-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
