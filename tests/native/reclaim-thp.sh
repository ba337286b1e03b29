#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Reclaim of a guest in transparent huge pages: those without a hot page are
# evicted as a whole; those with one stay whole. The payload's hot pages are
# clustered, 2 MiB at a time, so that both kinds exist. Nothing here depends on
# speed: the guest runs until the awaited state is reached.
#
# Needs a source of accessed bits that supports huge pages, and huge pages; if
# there is none, or free memory is fragmented, the same test runs in a lab
# machine with the kvm-young module.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
self=$srcdir/tests/native/reclaim-thp.sh
thp=/sys/kernel/mm/transparent_hugepage/enabled

source_works() {
  "$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
    --mem-backing thp --socket "$tmp/probe" --abits auto --reclaim on \
    </dev/null >/dev/null 2>"$tmp/why"
}

if [ -n "${VMM_TEST_MODULE-}" ]; then
  insmod "$VMM_TEST_MODULE" || exit 1
  echo madvise >$thp
elif [ ! -e /dev/kvm ] || ! source_works; then
  [ ! -s "$tmp/why" ] || sed 's/^/# not on this machine itself: /' "$tmp/why"
  payload_in_lab "$self"
  exit
fi
mem=128
payload_require
require_swap $mem
case $(cat $thp 2>/dev/null) in
'') skip_all "this kernel has no transparent huge pages" ;;
*'[never]'*) fail_all "transparent huge pages are off: echo madvise >$thp" ;;
esac

target=$((64 << 20))
huge_bytes() { # of this VM's memory, now
  awk '/^AnonHugePages:/ { n += $2 } END { printf "%.0f\n", n * 1024 }' \
    "/proc/$vmm_pid/smaps"
}

# A quarter is hot: 16 runs of 2 MiB, that begin anywhere, so in 32 huge pages.
start_guest() { # sets rc, and before: what is in huge pages
  payload_start \
    "pattern=hotcold hot=25% cluster=512 write=25 seconds=100000" \
    --mem ${mem}M --mem-backing thp --cpus 1 --socket "$socket" --abits auto \
    --reclaim off,period=1s,idle=2,cpu=50
  rc=0
  wait_event $grace run || rc=$?
  before=$(huge_bytes)
}
is_huge() { [ "$before" -ge $((mem * 9 / 10 << 20)) ]; }
for try in 1 2 3; do
  start_guest
  if [ "$rc" != 0 ] || is_huge || [ $try = 3 ]; then break; fi
  payload_cleanup
  compact_memory
done
if [ "$rc" = 0 ] && ! is_huge && [ -z "${VMM_TEST_MODULE-}" ]; then
  payload_cleanup
  echo "# not on this machine itself: it gave $((before >> 20)) MiB of $mem" \
    "in huge pages"
  payload_in_lab "$self"
  exit
fi
ok "$rc" "the guest fills its memory and runs"
is_huge
ok $? "in huge pages: $((before >> 20)) MiB of $mem"
some_scans_later 4
api /policy -X PUT -d "{\"enabled\": true, \"target_bytes\": $target}" \
  >/dev/null
wait_for $grace resident_within $target
ok $? "resident memory drops to the target"
some_scans_later 3

echo "# source $(stat_of .engine.source): $(stat_of .engine.nr_evicted) pages" \
  "evicted, huge pages: $(stat_of .engine.nr_huge_evicted) whole," \
  "$(stat_of .engine.nr_huge_split) split, $(stat_of .engine.nr_huge_kept)" \
  "times kept; huge on the host $before before, $(huge_bytes) now"
# Half of all is evicted; what never was in huge pages does not count as such.
between $((30 - (mem - (before >> 20)) / 2)) "$(stat_of .engine.nr_huge_evicted)" 64 \
  "huge pages went whole"
# A source that loses bits may see a huge page in parts.
between 0 "$(stat_of .engine.nr_huge_split)" 2 "next to none was split"
# Some never were, such as what the VMM loaded the guest into, page by page.
between $((target * 3 / 4)) "$(huge_bytes)" $((mem << 20)) \
  "what stayed is in huge pages"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
payload_end_run
payload_wait
is "$status" 0 "the guest checks all its pages and powers off"
is "$(event summary errors)" 0 "no page was wrong, ever"
done_testing
