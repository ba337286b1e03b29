#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# librmap is pure: of libc it may name memory and string functions only, so
# that it can do no input or output, start no thread and take no lock.
lib=$abs_top_builddir/rmap/librmap.a
allowed='^(calloc|free|memcpy|memset|memmove|memcmp|__memcpy_chk|__memset_chk|__stack_chk_fail|__assert_fail|_GLOBAL_OFFSET_TABLE_)$'

if nm -u "$lib" | grep -qE '__(asan|tsan|ubsan|msan)_'; then
	echo "1..0 # SKIP a sanitizer added its own symbols to $lib"
	exit 0
fi
defined=$(nm --defined-only -A "$lib" 2>/dev/null | awk '{ print $NF }' | sort -u)
undefined=$(nm -u "$lib" | awk '$1 == "U" { print $2 }' | sort -u)
echo 1..3
if echo "$defined" | grep -qx rmap_walk; then
	echo "ok 1 - the library is there and defines rmap_walk"
else
	echo "not ok 1 - the library is there and defines rmap_walk"
fi
foreign=$(for s in $undefined; do
	echo "$defined" | grep -qx "$s" || echo "$s"
done)
bad=$(echo "$foreign" | grep -vE "$allowed")
if [ -z "$bad" ]; then
	echo "ok 2 - it names only memory functions:" $foreign
else
	echo "not ok 2 - it names only memory functions"
	echo "# and also:" $bad
fi
# Writable data would be a lock somebody forgot.
data=$(nm "$lib" | awk '$2 ~ /^[dDbBcC]$/ { print $3 }')
if [ -z "$data" ]; then
	echo "ok 3 - it has no variables of its own"
else
	echo "not ok 3 - it has no variables of its own"
	echo "# but:" $data
fi
