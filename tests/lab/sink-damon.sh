#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel does all: DAMON looks which pages of a guest are cold and evicts
# them, with no source of accessed bits, and the guest's data are kept.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
lab_damon_kernel
lab_exec --kernel "$kernel" --timeout 1800 --swap 2G \
  --env VMM_TEST_RECLAIM='--abits blind --sink damon' \
  sh "$abs_top_srcdir/tests/native/reclaim-payload.sh"
