#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each folder includes what its row in the table of architecture.md names, which
# is above it there: so there are no circular includes.
. "${abs_top_srcdir:-.}/tests/functions.sh"
cd "$srcdir" || exit 1

# FOLDER|NAME, NAME...
sed -n 's/^| `\(rmap\|guest-agent\|vmm\/[a-z/-]*\)\/` |.*| *\([^|]*[^| ]\)\{0,1\} *|$/\1|\2/p' \
  docs/architecture.md >"$tmp/rows"
# What each source includes of other folders: FOLDER FOLDER
find rmap guest-agent vmm -name '*.[ch]' -exec grep -H '^#include ".*/' {} + |
  sed 's|/[^/:]*:#include "| |; s|/[^/]*".*||' |
  awk '$1 != $2' | sort -u >"$tmp/includes"

[ "$(wc -l <"$tmp/rows")" -ge 20 ]
ok $? "the table has $(wc -l <"$tmp/rows") folders"
find rmap guest-agent vmm -name '*.[ch]' | sed 's|/[^/]*$||' | sort -u >"$tmp/dirs"
cut -d'|' -f1 "$tmp/rows" | sort >"$tmp/named"
is "$(comm -3 "$tmp/dirs" "$tmp/named")" "" "they are those that there are"

: >"$tmp/above"
while IFS='|' read -r dir names; do
  case $names in
  all) cut -d'|' -f1 "$tmp/rows" | grep -vx "$dir" ;;
  'the kernel') ;;
  *) echo "$names" | tr -d ' ' | tr ',' '\n' |
    sed '/./!d; /^rmap$/!{/^guest-agent$/!s|^|vmm/|}' ;;
  esac | sort >"$tmp/may"
  awk -v dir="$dir" '$1 == dir { print $2 }' "$tmp/includes" >"$tmp/does"
  is "$(comm -13 "$tmp/may" "$tmp/does")" "" "$dir includes nothing else"
  if [ "$names" != all ]; then
    is "$(comm -23 "$tmp/may" "$tmp/does")" "" "$dir: it does include that"
    is "$(grep -vxFf "$tmp/above" "$tmp/may")" "" "$dir: all of it is above"
  fi
  echo "$dir" >>"$tmp/above"
done <"$tmp/rows"
done_testing
