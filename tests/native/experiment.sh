#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `vmm experiment` with real guests: its counts are plausible, failures are
# reported, and nothing is left behind. Speeds are not compared.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
require_swap 300
out=$tmp/out
ready=$srcdir/vmm/experiment/ready

run_of() { # POLICY JQ-EXPRESSION
  jq -r --arg p "$1" ".runs[] | select(.policy == \$p) | $2" "$out/runs.json"
}

# Which policies can be had here?  A version 1 or 2 memory cgroup takes root.
"$vmm" experiment --quick --seconds 3 --payload "$payload" --output "$out" \
  "$ready/policy-comparison.json" >"$tmp/stdout" 2>"$tmp/stderr"
is "$?" 0 "policy-comparison, quickly"
sed 's/^/# /' "$tmp/stderr"
mem=$((256 << 20))

is "$(run_of none .ok)" true "all memory and no policy: a good run"
between $((mem * 95 / 100)) "$(run_of none '.memory_max_bytes | floor')" \
  $((mem * 115 / 100)) "it takes what the guest has"
between 60000 "$(run_of none .pages_checked)" 65536 "all pages were checked"
is "$(run_of none .errors)" 0 "and were right"
between 1 "$(run_of none '.ops_per_s | floor')" 1000000000 \
  "there were operations"
is "$(run_of none '.latency | .p50_ns <= .p99_ns and .p99_ns <= .max_ns')" \
  true "latencies ascend"
if [ "$(jq -r .cgroup "$out/runs.json")" = none ]; then
  if [ "$(id -u)" = 0 ]; then
    ok 1 "a limit is kept: no memory cgroup could be made: mount cgroup2, with" \
      "its memory controller, at /sys/fs/cgroup"
  else
    skip "a limit is kept" "no memory cgroup may be made: run as root"
  fi
elif grep -q 'kill' "$tmp/stderr"; then
  ok 0 "the kernel killed a guest under its limit, and the report says so"
  grep -q 'killed by signal 9' "$out/report.md"
  ok $? "by name"
else
  between 1 "$(run_of linux-swap '.memory_max_bytes | floor')" \
    $((mem / 2 + (1 << 20))) "a limit is kept"
  between $((mem / 4)) "$(run_of linux-swap '.swap_bytes | floor')" $mem \
    "the rest is in swap"
  is "$(run_of linux-swap '.brought_back_per_s > 0')" true \
    "from where it comes back"
  is "$(run_of linux-swap .errors)" 0 "as it was"
fi
between 1 "$(grep -c '^none,50%,0,0,' "$out/samples.csv")" 1000 \
  "the guest's intervals are in the table"
is "$(awk -F, '{print NF}' "$out/samples.csv" | sort -u)" 20 \
  "all of whose rows have all columns"
for chart in throughput latency memory throughput-time; do
  grep -q '</svg>' "$out/$chart.svg" && grep -q "($chart.svg)" "$out/report.md"
  ok $? "a chart: $chart"
done
"$vmm" experiment --quick --payload "$payload" --output "$out" \
  "$ready/policy-comparison.json" >/dev/null 2>"$tmp/stderr"
is "$?" 1 "results are not overwritten"

for bad in "--repetitions 0" "--seconds 0" "--seconds -1"; do
  # shellcheck disable=SC2086 # words
  "$vmm" experiment $bad --check "$ready/policy-comparison.json" \
    >/dev/null 2>"$tmp/stderr"
  is "$? $(grep -c 'must be from 1 to' "$tmp/stderr")" "2 1" "refused: $bad"
done

cat >"$tmp/bad.json" <<EOT
{"name": "bad", "guests": [{"mem": "64M", "workload": {"mem": "64G"}}],
 "policies": [{"kind": "none"}], "seconds": 2, "warmup_s": 0, "repetitions": 1}
EOT
out=$tmp/bad
"$vmm" experiment --payload "$payload" --output "$out" "$tmp/bad.json" \
  >/dev/null 2>"$tmp/stderr"
is "$?" 1 "when no run is good, the experiment failed"
is "$(run_of none '.ok')" false "a guest that can't go on makes its run bad"
grep -q 'mem-is-beyond-the-guest-memory' "$out/report.md"
ok $? "and the report says why"

sed 's/"64G"/"32M"/; s/"seconds": 2/"seconds": 1000/' "$tmp/bad.json" \
  >"$tmp/long.json"
out=$tmp/long
"$vmm" experiment --payload "$payload" --output "$out" "$tmp/long.json" \
  >/dev/null 2>"$tmp/stderr" &
runner=$!
guest_runs() { grep -q '"run"' "$out/logs/run-001-guest-0.log" 2>/dev/null; }
wait_for 300 guest_runs
ok $? "a long experiment runs"
children=$(pgrep -P "$runner")
between 1 "$(echo "$children" | wc -w)" 2 "it has a guest, and perhaps a process that pins a file"
kill -INT "$runner"
wait "$runner"
is "$?" 6 "SIGINT ends it, and the status tells"
# Who outlives it is given to somebody else, and ends by itself soon if at all.
gone() {
  for _pid in $children; do
    ! kill -0 "$_pid" 2>/dev/null || return 1
  done
}
wait_for 300 gone
ok $? "its processes are gone"
is "$(find /sys/fs/cgroup -maxdepth 5 -name "vmm-experiment-$runner" \
  2>/dev/null)" "" "its cgroup too"
grep -q interrupted "$out/report.md"
ok $? "what was done until then is reported"
done_testing
