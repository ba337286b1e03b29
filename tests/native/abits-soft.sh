#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# abits-truth with the soft source on this machine itself: a real guest touches
# pages in every pattern, and no bit of it may be missed.
. "${abs_top_srcdir:-.}/tests/functions.sh"
truth=${abs_top_builddir:-build}/tests/native/abits-truth

# found missed false, of the row of a pattern
row() { sed -n "s/^# $1  *[0-9]*  *\([0-9]*\)  *\([0-9]*\)  *\([0-9]*\) .*/\1 \2 \3/p" \
  "$tmp/proved"; }

prove "without a budget, all patterns" "$truth" \
  --abits soft,faults=1000000000 --mem 64M --rounds 10 --pattern all
[ -z "$skipped" ] || { done_testing; exit; }
for pattern in random tlb stride line period; do
  like "$(row $pattern)" '^[1-9][0-9]* 0 0$' "$pattern: none missed, none false"
done

prove "with a budget of 100 faults a second" "$truth" \
  --abits soft,faults=100 --mem 64M --rounds 5 --pattern period,tlb
for pattern in period tlb; do
  like "$(row $pattern)" '^[1-9][0-9]* 0 0$' "$pattern: none missed, none false"
done
done_testing
