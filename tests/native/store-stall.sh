#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The store's NBD server stands still under a guest: that is told, the service
# goes on by itself when the server does, no page is lost; and while it stands
# still vmm ends when it is asked to.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
require nbdkit

nbdkit -f --exit-with-parent -U "$tmp/nbd" -P "$tmp/nbd.pid" memory 512M &
nbdkit_pid=$!
wait_for 60 test -s "$tmp/nbd.pid"
ok $? "nbdkit serves"

device_is() { [ "$(stat_of .store.device)" = "$1" ]; }

start_guest() {
  payload_start "pattern=phase hot=10% phase_ms=8000 seconds=100000 agent=1" \
    --mem 192M --cpus 2 --socket "$socket" --abits auto \
    --reclaim target=64M,period=500ms,idle=2,cpu=50 \
    --sink "store,codec=none,mem=16M,nbd=nbd+unix:///?socket=$tmp/nbd"
  wait_event 300 run
  ok $? "the guest runs"
  on_device() { [ "$(stat_of .store.nr_far)" -ge 5000 ]; }
  wait_for 300 on_device
  ok $? "pages are on the server"
}

start_guest
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
  grep -q "^waiting  the guest needs [1-9].* that can't be read now: ." "$tmp/stat"
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

start_guest
kill -STOP "$nbdkit_pid"
wait_for 300 device_is stalled
ok $? "the server stands still again"
before=$(date +%s%N)
kill -TERM "$vmm_pid"
ended() { ! kill -0 "$vmm_pid" 2>/dev/null; }
wait_for 60 ended
ok $? "vmm ends when it is asked to"
echo "# after $((($(date +%s%N) - before) / 1000000)) ms"
kill -CONT "$nbdkit_pid"
kill "$nbdkit_pid"
wait "$nbdkit_pid" 2>/dev/null
done_testing
