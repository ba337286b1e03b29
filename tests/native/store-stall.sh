#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The store's NBD server stalls while a guest runs: the stall is reported,
# operation resumes by itself when the server does, no page is lost; and during
# the stall vmm can be stopped.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require_faults
require nbdkit

nbdkit -f --exit-with-parent -U "$tmp/nbd" -P "$tmp/nbd.pid" memory 512M &
nbdkit_pid=$!
wait_for 60 test -s "$tmp/nbd.pid"
ok $? "nbdkit serves"

device_is() { [ "$(stat_of .store.device)" = "$1" ]; }

start_guest() { # PATTERN
  payload_start "pattern=$1 seconds=100000 agent=1" \
    --mem 192M --cpus 2 --socket "$socket" --abits auto \
    --reclaim target=64M,period=500ms,idle=2,cpu=50 \
    --sink "store,codec=none,mem=16M,nbd=nbd+unix:///?socket=$tmp/nbd"
  wait_event 300 run
  ok $? "the guest runs"
  on_device() { [ "$(stat_of .store.nr_far)" -ge 5000 ]; }
  wait_for 300 on_device
  ok $? "pages are on the server"
}

phases='phase hot=10% phase_ms=8000'
start_guest "$phases"
kill -STOP "$nbdkit_pid"
wait_for 300 device_is stalled
ok $? "the server stands still: so does the device"
stat_of .store.device_error | grep -q 'no answer'
ok $? "device_error: $(stat_of .store.device_error)"
wait_for 60 grep -q 'store: nbd+unix.* has not answered' "$tmp/stderr"
ok $? "and a line says so"
is_needed() { [ "$(stat_of .store.nr_waiting)" -ge 1 ]; }
wait_for 300 is_needed
ok $? "the guest waits for pages"
"$vmm" stat --socket "$socket" >"$tmp/stat"
grep -q '^device   stalled: .*no answer' "$tmp/stat" &&
  grep -q "^waiting  the guest needs [1-9].* that cannot be read now: ." "$tmp/stat"
ok $? "vmm stat says both"
api /metrics >"$tmp/metrics"
grep -q '^vmm_store_device_stalled{.*} 1$' "$tmp/metrics"
ok $? "so do the metrics"
kill -CONT "$nbdkit_pid"
wait_for 300 device_is ok
ok $? "the server goes on: so does the device"
wait_for 60 grep -q 'store: nbd+unix.* answers again' "$tmp/stderr"
ok $? "and a line says so"
before=$(stat_of .store.nr_faults)
more_faults() { [ "$(stat_of .store.nr_faults)" -gt "$before" ]; }
wait_for 300 more_faults
ok $? "pages come back"
payload_end_run
payload_wait
is "$status $(event summary errors)" "0 0" "every page is right"

# stop: sets status, also that of a hang, which is ended here.
stop() {
  _begin=$(date +%s%N)
  kill -TERM "$vmm_pid"
  ended() {
    _state=$(sed 's/.*) //; s/ .*//' "/proc/$vmm_pid/stat" 2>/dev/null)
    [ -z "$_state" ] || [ "$_state" = Z ]
  }
  wait_for 60 ended
  ok $? "vmm ends when it is asked to"
  _ms=$((($(date +%s%N) - _begin) / 1000000))
  kill -KILL "$vmm_pid" 2>/dev/null
  status=0
  wait "$vmm_pid" || status=$?
  vmm_pid=
  echo "# exit status $status after $_ms ms"
}

# Only the writes of eviction wait: nothing keeps the guest from its end.  (On a
# busy machine a page that it does need may have gone: that is printed.)
stop_idle() {
  kill -CONT "$nbdkit_pid"
  start_guest idle
  kill -STOP "$nbdkit_pid"
  "$vmm" policy --socket "$socket" target=16M >/dev/null
  wait_for 300 device_is stalled
  ok $? "the server stands still again"
  echo "# the guest waits for $(stat_of .store.nr_waiting) pages"
  stop
}
until_orderly stop_idle
is "$status" 6 "... in good order"

kill -CONT "$nbdkit_pid"
start_guest "$phases"
kill -STOP "$nbdkit_pid"
wait_for 300 is_needed
ok $? "the guest waits for pages again"
stop
# Where the kernel lets no signal end the fault of a vCPU, only the limit does.
is_stopped "$status" 6 "... by itself, or by the limit"
kill -CONT "$nbdkit_pid"
kill "$nbdkit_pid"
wait "$nbdkit_pid" 2>/dev/null
done_testing
