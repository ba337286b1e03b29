#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The alarms of operations.md use metrics that exist, and fire under their
# conditions.
. "${abs_top_srcdir:-.}/tests/functions.sh"
rules=$srcdir/docs/prometheus-rules.yml
cases=$srcdir/tests/unit/prometheus-rules-test.yml

# The table of metrics, with the ending that counters get.
cat "$srcdir"/vmm/control/*.c | tr -d '\n' |
  grep -oE '(GAUGE|COUNTER),[[:space:]]*"vmm_[a-z0-9_]+"' |
  sed -E 's/^GAUGE,[[:space:]]*"([a-z0-9_]+)"/\1/
    s/^COUNTER,[[:space:]]*"([a-z0-9_]+)"/\1_total/' | sort -u >"$tmp/there"
grep -v '^#' "$rules" | grep -oE '\bvmm_[a-z0-9_]+' | sort -u >"$tmp/asked"
[ "$(wc -l <"$tmp/asked")" -ge 20 ]
ok $? "the rules use $(wc -l <"$tmp/asked") metrics"
is "$(comm -23 "$tmp/asked" "$tmp/there")" "" "and each of them is reported"

names=$(sed -n 's/^ *- alert: //p' "$rules")
is "$(printf '%s\n' "$names" | sort | uniq -d)" "" "names of alarms are unique"
for word in expr severity summary description; do
  is "$(grep -c "$word:" "$rules")" \
    "$(($(printf '%s\n' "$names" | wc -l) + $(grep -c "^# $word:" "$rules")))" \
    "each alarm has its $word"
done
for name in $names; do
  grep -q "alertname=\"$name\"" "$cases" || echo "$name"
done >"$tmp/untested"
is "$(cat "$tmp/untested")" "" "each alarm has a case"

if promtool=$("$srcdir/tests/unit/get-promtool" --cached 2>"$tmp/why"); then
  "$promtool" check rules "$rules" >"$tmp/out" 2>&1
  rc=$?
  ok $rc "Prometheus takes the rules"
  [ $rc = 0 ] || sed 's/^/# /' "$tmp/out"
  cp "$rules" "$cases" "$tmp"
  "$promtool" test rules "$tmp/$(basename "$cases")" >"$tmp/out" 2>&1
  rc=$?
  ok $rc "alarms fire for what they are about, and no others"
  [ $rc = 0 ] || sed 's/^/# /' "$tmp/out"
else
  ok 1 "Prometheus takes the rules, and they fire: $(cat "$tmp/why")"
fi
done_testing
