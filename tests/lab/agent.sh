#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A Linux guest with vmm-guest-agent: the host's picture of two processes is
# what the guest's kernel says of them, page by page.
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
"$mkguest" --script "$srcdir/tests/lab/agent-guest.sh" --add "$agent" \
  --add "${abs_top_builddir:-build}/tests/lab/agent-truth" \
  "$tmp/out/guest.cpio"
# With a source of accessed bits the engine runs, and sorts pages into lists.
kver=$(printf '%s\n' /boot/vmlinuz-*-amd64 | sort -V | tail -n 1)
kver=${kver#*/vmlinuz-}
if [ -e "/lib/modules/$kver/build/Makefile" ]; then
  "$srcdir/vmm/kmod/build" "$srcdir/vmm/kmod" "$tmp/out/kmod" "$kver" \
    >"$tmp/build.log" 2>&1 || sed 's/^/# /' "$tmp/build.log"
fi
trap - EXIT
lab_exec --timeout 240 sh "$srcdir/tests/lab/agent-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
