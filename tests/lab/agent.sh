#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A Linux guest with vmm-guest-agent: the host's view of two processes is
# what the guest's kernel says of them, page by page.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require_agent
lab_agent_guest "$srcdir/tests/lab/agent-guest.sh" agent-truth
# With a source of accessed bits the engine runs, and sorts pages into lists.
require_headers "$release"
lab_module "$tmp/out/kmod" "$release" >"$tmp/build.log" 2>&1 || {
  sed 's/^/# /' "$tmp/build.log"
  fail_all "the module does not build: see above"
}
trap - EXIT
lab_exec --timeout 1500 sh "$srcdir/tests/lab/agent-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
