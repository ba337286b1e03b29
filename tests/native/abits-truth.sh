#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# abits-truth with DAMON on this machine itself: 4 KiB and huge pages.  Borrows
# DAMON when its owner allows that (see tests/functions.sh), and returns it.
. "${abs_top_srcdir:-.}/tests/functions.sh"
damon_borrow
truth=${abs_top_builddir:-build}/tests/native/abits-truth

# The program's own TAP is kept as comments; a skip of it is one here, unless it
# failed.
prove() { # NAME OPTION...
  _name=$1
  shift
  "$truth" --abits damon "$@" >"$tmp/truth" 2>&1
  _rc=$?
  sed 's/^\([^#]\)/# \1/' "$tmp/truth"
  _why=$(sed -n 's/^.*# SKIP //p' "$tmp/truth" | head -n 1)
  if [ $_rc = 0 ] && [ -n "$_why" ]; then
    skip "$_name" "$_why"
  else
    ok $_rc "$_name"
  fi
}
prove "damon finds scattered pages of 4 KiB" --mem 64M --rounds 5
prove "damon finds huge pages" --mem 512M --huge --rounds 5
done_testing
