#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's own accessed bits as the source: the payload's shared region is
# used by both of its processes, by one, and by none, a third each; reclaim evicts
# what is unused, and every page has the right contents at the end.  Needs nested
# page tables: with shadow ones the guest's entry is not read again.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
self=$srcdir/tests/lab/guest-pte.sh
if [ -z "${VMM_TEST_INSIDE-}" ]; then
  . "$srcdir/tests/lab/functions.sh"
  lab_require
  trap - EXIT
  mkdir -p "$tmp/out"
  lab_exec --timeout 1500 --swap 1G --env VMM_TEST_INSIDE=1 sh "$self"
  status=$?
  rm -rf "$tmp"
  exit $status
fi
payload_require
payload_start "pattern=shared shared=6M seconds=100000 agent=1" \
  --mem 96M --cpus 1 --socket "$socket" --abits guest-pte \
  --reclaim off,period=1s,cpu=50
wait_event 120 run
ok $? "the guest runs"
has_report() { [ "$(stat_of .agent.epoch)" -ge 1 ]; }
wait_for 60 has_report
ok $? "its agent reports its processes"
is "$(stat_of .engine.source)" guest-pte "the source is the guest's tables"

first=$(event start shared_gfn)
third=$(($(event start shared_pages) / 3))
idle_of() { value_of "$socket" "/page/$((first + $1))" .idle_scans; }
scans() { stat_of .engine.nr_scans; }
is_old() { [ "$(idle_of $((2 * third + 5)))" -ge 6 ]; }
wait_for 120 is_old
ok $? "pages that no process uses grow old"
# A guest that has no processor for some scans uses nothing in them: soon it does.
idle_at_most() { age=$(idle_of "$1") && [ "$age" -le "$2" ]; }
idle_at_least() { age=$(idle_of "$1") && [ "$age" -ge "$2" ]; }
for i in 0 $((third / 2)) $((third - 1)) $third $((2 * third - 1)); do
  wait_for 120 idle_at_most "$i" 2
  ok $? "page $i of the region is used: idle for $age scans"
done
for i in $((2 * third)) $((2 * third + third / 2)) $((3 * third - 1)); do
  wait_for 120 idle_at_least "$i" 5
  ok $? "page $i of the region is not: idle for $age scans"
done
is "$(api "/page/$(($(event start pool_gfn) + 1))" | jq .idle_scans)" 0 \
  "a frame that no process maps is never called idle"

"$vmm" policy --socket "$socket" on,target=64M,idle=3 >/dev/null
evicted() { [ "$(stat_of .engine.nr_evicted)" -ge 500 ]; }
wait_for 120 evicted
ok $? "idle pages are evicted"
# A guest that got no CPU time for three scans faults them in when it runs again.
is_resident() {
  [ "$(value_of "$socket" "/page/$((first + $1))" .resident)" = true ]
}
for i in 0 $((third / 2)) $((third + third / 2)); do
  wait_for 120 is_resident "$i"
  ok $? "page $i, which is in use, is resident"
done
payload_end_run
payload_wait
is "$status $(event summary errors)" "0 0" "every page is right"
done_testing
