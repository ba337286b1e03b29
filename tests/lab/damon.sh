#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# DAMON as an access source, on real nested page tables: exactness, and that
# it leaves DAMON as it was.  Debian's packaged kernels have it since 6.12.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
lab_damon_kernel
truth=$abs_top_builddir/tests/native/abits-truth
lab_exec --kernel "$kernel" --timeout 1800 \
  sh "$abs_top_srcdir/tests/lab/abits-inside.sh" "$truth" damon
