#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# abits-truth with DAMON on this machine itself: 4 KiB and huge pages.  Borrows
# DAMON when its owner allows that (see tests/functions.sh), and returns it.
. "${abs_top_srcdir:-.}/tests/functions.sh"
damon_borrow
truth=${abs_top_builddir:-build}/tests/native/abits-truth

prove "damon finds scattered pages of 4 KiB" "$truth" --abits damon --mem 64M --rounds 5
prove "damon finds huge pages" "$truth" --abits damon --mem 512M --huge --rounds 5
done_testing
