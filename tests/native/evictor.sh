#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest in a memfd is evicted by a process of its own, with every byte right;
# when that process is killed, by vmm run itself; and it ends with vmm run,
# however that ends.  Nothing here depends on speed.
#
# Needs a source of accessed bits that works without a module: soft does.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
mem=64
require_swap $((2 * mem))
target=$((mem << 20 >> 1))

start() { # everything but a tenth is idle
  payload_start "pattern=hotcold hot=10% write=25 seconds=100000" \
    --mem ${mem}M --cpus 1 --socket "$socket" --abits soft,faults=100000 \
    --reclaim target=$((mem / 2))M,period=200ms,idle=2,cpu=50
}
evicted() { stat_of .engine.nr_evicted; }
evicted_beyond() {
  _evicted=$(evicted)
  [ -n "$_evicted" ] && [ "$_evicted" -gt "$1" ]
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }
set_target() { # MIB
  api /policy -X PUT -d "{\"target_bytes\": $(($1 << 20))}" >/dev/null
}

start
wait_event $grace run
ok $? "the guest runs"
wait_for $grace resident_within $((target + target / 10))
ok $? "resident memory comes down to the target"
evictor=$(stat_of .evictor.pid)
is "$(stat_of .evictor.running)" true "an evictor runs"
is "$(cat /proc/"$evictor"/comm)" vmm-evictor "by that name"
given=$(stat_of .evictor.nr_pages)
[ "$given" -ge $((target / 4096 / 2)) ]
ok $? "it has been sent pages: $given"
[ "$(stat_of .evictor.cpu_ns)" -gt 0 ]
ok $? "its CPU time is counted: $(stat_of .evictor.cpu_ns) ns"
"$vmm" stat --socket "$socket" | grep -q '^evictor  [1-9]'
ok $? "vmm stat shows it"
api /metrics | grep -q '^vmm_evictor_running{.*} 1$'
ok $? "so do the metrics"

before=$(evicted)
kill -KILL "$evictor"
set_target $((mem / 4))
wait_for $grace evicted_beyond $((before + 1000))
ok $? "pages are evicted after it was killed"
is "$(stat_of .evictor.running)" false "its end is reported"
stat_of .evictor.last_error | grep -q 'killed by signal 9'
ok $? "with the reason: $(stat_of .evictor.last_error)"
is "$(grep -c 'the evictor process was killed' "$tmp/stderr")" 1 "and logged once"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
payload_end_run
payload_wait
is "$status" 0 "the guest checks all its pages and powers off"
is "$(event summary errors)" 0 "no page was wrong, ever"

start
wait_event $grace run
wait_for $grace evicted_beyond 1000
ok $? "pages of another guest are evicted"
evictor=$(stat_of .evictor.pid)
is "$(cat /proc/"$evictor"/comm)" vmm-evictor "by its evictor"
kill -KILL $vmm_pid
wait $vmm_pid 2>/dev/null || :
vmm_pid=
wait_for $grace has_ended "$evictor"
ok $? "which ends when vmm run is killed"
rm -f "$socket"

start
wait_event $grace run
wait_for $grace evicted_beyond 1000
evictor=$(stat_of .evictor.pid)
kill -TERM "$evictor"
kill -TERM $vmm_pid
wait $vmm_pid 2>/dev/null || :
vmm_pid=
wait_for $grace has_ended "$evictor"
ok $? "and when it is stopped"
grep -q 'evictor' "$tmp/stderr"
is "$?" 1 "without a message"
rm -f "$socket"

# Started with no standard files: no other file may become one.
"$vmm" run --kernel "$payload" --mem ${mem}M --cpus 1 --socket "$socket" \
  --cmdline "pattern=hotcold hot=10% write=25 seconds=100000" \
  --abits soft,faults=100000 \
  --reclaim target=$((mem / 2))M,period=200ms,idle=2,cpu=50 <&- >&- 2>&- &
vmm_pid=$!
wait_for $grace evicted_beyond 1000
ok $? "a guest without standard files is evicted from, too"
for fd in 0 1 2; do
  is "$(readlink /proc/$vmm_pid/fd/$fd)" /dev/null "file $fd is no other file"
done
evictor=$(stat_of .evictor.pid)
kill -TERM $vmm_pid
status=0
wait $vmm_pid || status=$?
vmm_pid=
is "$status" 6 "it stops as others do"
has_ended "$evictor"
ok $? "and its evictor with it"
done_testing
