#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# page_referenced() of a page that two Linux processes share, by their own page
# tables: who touched it is counted and named; _mapcount alone means nothing.
# The agent learns where the tables are by BPF, and then by /proc/kcore.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
for need in curl jq; do
  command -v $need >/dev/null ||
    skip_all "$need not found: install the Debian package $need"
done
agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent
ldd "$agent" >/dev/null 2>&1 &&
  skip_all "vmm-guest-agent is not static (a build with sanitizers)"
mkdir -p "$tmp/out"
"$mkguest" --script "$srcdir/tests/lab/page-referenced-guest.sh" \
  --add "$agent" --add "${abs_top_builddir:-build}/tests/lab/touch-shared" \
  "$tmp/out/guest.cpio"
trap - EXIT
lab_exec --timeout 240 sh "$srcdir/tests/lab/page-referenced-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
