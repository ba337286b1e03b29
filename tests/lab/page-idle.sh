#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Idle page tracking as an access source, on real nested page tables.  Needs a
# kernel that has it, which tests/lab/kernel/build-kernel makes: run by
# `make check-page-idle`.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
kernel=$("$abs_top_srcdir/tests/lab/kernel/build-kernel" --cached 2>"$tmp/why") ||
  fail_all "$(cat "$tmp/why")"
truth=$abs_top_builddir/tests/native/abits-truth
# A level-1 CPU keeps translations long: windows of a second.
lab_exec --kernel "$kernel" --timeout 1500 \
  sh "$abs_top_srcdir/tests/lab/abits-inside.sh" "$truth" page-idle
