#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# librmap is pure: of libc it may use only memory and string functions, so that
# it can do no input or output, start no thread and take no lock.  And its files
# are in layers (docs/internals-rmap.md, "Files"): none uses another that uses
# it, directly or indirectly.
lib=$abs_top_builddir/rmap/librmap.a
allowed='^(calloc|free|memcpy|memset|memmove|memcmp|__memcpy_chk|__memset_chk|__stack_chk_fail|__assert_fail|_GLOBAL_OFFSET_TABLE_)$'

if nm -u "$lib" | grep -qE '__(asan|tsan|ubsan|msan)_'; then
	echo "1..0 # SKIP a sanitizer added its own symbols to $lib"
	exit 0
fi
defined=$(nm --defined-only -A "$lib" 2>/dev/null | awk '{ print $NF }' | sort -u)
undefined=$(nm -u "$lib" | awk '$1 == "U" { print $2 }' | sort -u)
echo 1..5
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
# Writable data would be a lock somebody forgot.  Constant tables of functions
# are in .data.rel.ro, which is read-only once it is relocated.
data=$(nm -f sysv "$lib" | awk -F'|' '
	$3 ~ /[dDbBcC]/ && $7 !~ /^\.data\.rel\.ro/ { print $1 }')
if [ -z "$data" ]; then
	echo "ok 3 - it has no variables of its own"
else
	echo "not ok 3 - it has no variables of its own"
	echo "# but:" $data
fi
# "user used", a line for each pair of files; tsort(1) complains of a loop.
pairs=$(nm -A "$lib" | awk -F: '{
	n = split($NF, word, " ")
	file = $(NF - 1)
	if (word[n - 1] == "U")
		users[word[n]] = users[word[n]] " " file
	else
		home[word[n]] = file
} END {
	for (symbol in users) {
		n = split(users[symbol], user, " ")
		for (i = 1; i <= n && symbol in home; i++)
			print user[i], home[symbol]
	}
}')
if [ "$(echo "$pairs" | grep -c 'kinds.o file.o')" -gt 0 ]; then
	echo "ok 4 - which file uses which is found"
else
	echo "not ok 4 - which file uses which is found"
fi
if loop=$(echo "$pairs" | tsort 2>&1 >/dev/null) && [ -z "$loop" ]; then
	echo "ok 5 - no file uses one that uses it"
else
	echo "not ok 5 - no file uses one that uses it"
	echo "$loop" | sed 's/^/# /'
fi
