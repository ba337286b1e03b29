#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# abits-truth with the soft source on this machine itself: a real guest touches
# scattered pages, and no bit of it may be missed.
. "${abs_top_srcdir:-.}/tests/functions.sh"
exec "${abs_top_builddir:-build}/tests/native/abits-truth" \
  --abits soft,faults=1000000000 --mem 64M --rounds 10
