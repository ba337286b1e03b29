#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prefetch under a guest that sweeps over its memory and has an agent: pages are
# prefetched before the guest reaches them, and then used; all are right. With
# swap, and with the store. How many arrive in time depends on the machine's
# speed, so no number is required.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
"$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
  --socket "$tmp/probe" --abits auto --reclaim on </dev/null >/dev/null \
  2>"$tmp/why" || fail_all "no reclaim: $(cat "$tmp/why")"
require_swap 128

one_run() { # SINK
  payload_start "pattern=sequential write=25 pace_us=3000 seconds=100000 agent=1" \
    --mem 96M --cpus 1 --socket "$socket" --abits auto --sink "$1" \
    --reclaim target=32M,period=250ms,idle=2,cpu=50,prefetch=2048
  wait_event $grace run
  ok $? "$1: the guest runs"
  used() { [ "$(stat_of .engine.nr_prefetch_hits)" -ge 200 ]; }
  wait_for $grace used
  ok $? "$1: 200 pages were asked back and then used"
  some_scans_later 2
  echo "# $1: $(stat_of '[.engine.nr_evicted, .engine.nr_refaults,
    .engine.nr_prefetched, .engine.nr_prefetch_hits] | tostring')" \
    "evicted, refaults, asked back, used"
  is "$(stat_of '.engine.nr_prefetch_hits <= .engine.nr_prefetched')" true \
    "$1: no more were used than were asked for"
  is "$(stat_of .engine.nr_scan_errors)" 0 "$1: no scan failed"
  like "$("$vmm" stat --socket "$socket")" '^prefetch [0-9]+ pages' \
    "$1: vmm stat tells"
  payload_end_run
  payload_wait
  is "$status $(event summary errors)" "0 0" "$1: every page is right"
  is "$(event summary pages_checked)" "$(event start private_pages)" \
    "$1: and all were looked at"
}
one_run swap
if may_serve_faults; then
  one_run store
else
  skip "store" "only root may serve page faults of guests: run as root"
fi
done_testing
