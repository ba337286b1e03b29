#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The store with a guest: cold pages are evicted to it, with each codec and to a
# file, the hot ones stay, and every page of the guest is right at the end.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
require_faults

one_run() { # NAME BACKING SINK
  payload_start "pattern=phase hot=10% phase_ms=8000 seconds=100000 agent=1" \
    --mem 192M --cpus 2 --socket "$socket" --abits auto \
    --reclaim target=64M,period=500ms,idle=2,cpu=50 --sink "$3"
  wait_event 300 run
  ok $? "$1: the guest runs"
  is "$(stat_of .engine.sink)" store "$1: its sink is the store"
  evicted() { [ "$(stat_of .engine.nr_evicted)" -ge 10000 ]; }
  wait_for 300 evicted
  ok $? "$1: 10,000 pages are evicted"
  came_back() { [ "$(stat_of .store.nr_faults)" -ge 100 ]; }
  wait_for 300 came_back
  ok $? "$1: 100 pages come back"
  store=$(api /stats | jq -c .store)
  echo "# $store"
  is "$(printf %s "$store" | jq '.nr_pages == .nr_same + .nr_mem + .nr_far')" \
    true "$1: each page is in one tier"
  is "$(printf %s "$store" | jq '[.nr_damaged, .nr_waiting, .nr_poisoned,
    .nr_read_errors, .nr_write_errors] | add')" 0 "$1: nothing failed"
  [ "$2" = - ] ||
    is "$(printf %s "$store" | jq ".$2 > 0")" true "$1: $2 is used"
  payload_end_run
  payload_wait
  is "$status $(event summary errors)" "0 0" "$1: every page is right"
  is "$(event summary pages_checked | awk '{ print ($1 > 40000) }')" 1 \
    "$1: and all were looked at"
}

one_run lz4 nr_mem store
one_run zstd nr_mem store,codec=zstd
one_run "a file" nr_far "store,codec=none,mem=16M,timeout=60s,file=$tmp/far,size=512M"
"$vmm" run --kernel "$payload" --sink storm >/dev/null 2>"$tmp/refusal"
is "$? $(grep -c "unknown sink 'storm'" "$tmp/refusal")" "2 1" \
  "a sink that does not exist is refused"
done_testing
