#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# page_referenced() of a page that two Linux processes share, by their own page
# tables: who touched it is counted and named; _mapcount alone means nothing.
# The agent learns where the tables are by BPF, and then by /proc/kcore; both
# are compared in the level-1 machine, too.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require_agent
lab_agent_guest "$srcdir/tests/lab/page-referenced-guest.sh" touch-shared
trap - EXIT
lab_exec --timeout 1500 sh "$srcdir/tests/lab/page-referenced-inside.sh"
status=$?
rm -rf "$tmp"
exit $status
