#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Guest memory in the host's pool of huge pages: the memory really comes from
# it, the guest's data is right, ages are tracked per huge page, and what is
# impossible is refused with the reason. The pool is enlarged for the test, and
# restored at its end.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
pool=/sys/kernel/mm/hugepages/hugepages-2048kB
nr_before=
# The pool is the machine's: no other program may use what this test counts.
[ ! -w $pool/nr_hugepages ] || machine_lock 9 hugetlb
on_exit() {
  payload_cleanup
  [ -z "$nr_before" ] || echo "$nr_before" >$pool/nr_hugepages
}

# refused PATTERN NAME OPTION...
refused() {
  _pattern=$1 _name=$2
  shift 2
  _got=0
  _said=$(timeout 300 "$vmm" run --kernel "$payload" --cmdline seconds=1 \
    --socket "$socket" "$@" 2>&1 >/dev/null </dev/null) || _got=$?
  is "$_got" 1 "$_name: refused"
  like "$_said" "$_pattern" "$_name: with the reason"
}

timeout 300 "$vmm" run --kernel "$payload" --mem-backing hugetlb=3M \
  >"$tmp/out" 2>&1 </dev/null
is "$?" 2 "a page size that is none is wrong usage"
like "$(cat "$tmp/out")" 'hugetlb=3M: there are .*hugetlb\[=2M|1G\]' \
  "and the sizes are told"
refused 'not a multiple of the page size 1.0 GiB: .*--mem' \
  "memory that is no multiple of the page" \
  --mem 1536M --mem-backing hugetlb=1G --abits none

[ -d $pool ] || {
  skip "the rest" "this kernel has no hugetlb pages of 2 MiB"
  done_testing
  exit
}
free_pages() {
  echo $(($(cat $pool/free_hugepages) - $(cat $pool/resv_hugepages)))
}
# Memory of one huge page more than there are: at most what the host has.
over=$((($(free_pages) + 64) * 2))
refused "$((over / 2)) hugetlb pages .*has $(free_pages) free: echo [0-9]+ >$pool/nr_hugepages" \
  "a pool that is too small" --mem ${over}M --mem-backing hugetlb --abits none

[ -w $pool/nr_hugepages ] || {
  skip "the rest" "$pool/nr_hugepages can't be written: run as root"
  done_testing
  exit
}
nr_before=$(cat $pool/nr_hugepages)
# Another try where free memory is in pieces.
for _ in 1 2 3 4 5; do
  echo $((nr_before + 64)) >$pool/nr_hugepages
  [ "$(free_pages)" -lt 64 ] || break
  compact_memory
done
[ "$(free_pages)" -ge 64 ] || {
  ok 1 "the host finds no 64 free pages of 2 MiB: free some memory"
  done_testing
  exit
}

# A tenth is hot, in single pages everywhere: every huge page is used in some
# of its pages, and nobody can tell in which.
had=$(free_pages)
payload_start "pattern=hotcold hot=10% write=25 seconds=100000" \
  --mem 128M --mem-backing hugetlb --cpus 1 --socket "$socket" \
  --abits soft --reclaim off,period=200ms
wait_event $grace run
ok $? "the guest fills its memory and runs"
is "$((had - $(free_pages)))" 64 "in all 64 pages of the pool"
some_scans_later 15
ok $? "ages are kept"
# In so long a window there are two scans, however busy the machine is.
api "/wss?window=60" >"$tmp/wss"
jq -c 'del(.pages_by_idle_scans)' "$tmp/wss" | sed 's/^/# /'
hot=$(($(event start hot_pages) * 4096))
is "$(jq .basis.granule_bytes "$tmp/wss")" $((2 << 20)) \
  "a huge page is what can be told apart"
between 1 "$(jq .low_bytes "$tmp/wss")" "$hot" \
  "the working set is at least a page of each that was used"
between "$hot" "$(jq .high_bytes "$tmp/wss")" $((128 << 20)) \
  "and at most all of these"
between 1 "$(jq .basis.unresolved_bytes "$tmp/wss")" $((128 << 20)) \
  "which is said to be the reason"
is "$(api /policy -X PUT -d '{"enabled": true}' | jq -r .error |
  grep -c 'hugetlb pages, which the kernel never swaps')" 1 "reclaim can't be turned on"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
payload_end_run
payload_wait
is "$status" 0 "the guest checks all its pages and powers off"
is "$(event summary errors)" 0 "no page was wrong, ever"
is "$(free_pages)" "$had" "the pool has its pages again"

refused 'hugetlb pages, which the kernel never swaps: .*--mem-backing thp' "reclaim" \
  --mem 64M --mem-backing hugetlb --abits soft --reclaim target=32M
for source in damon page-idle; do
  refused 'which hugetlb pages are not: use kvm-young or soft' "$source" \
    --mem 64M --mem-backing hugetlb --abits $source
done

abits_truth() {
  "${abs_top_builddir:-build}/tests/native/abits-truth" "$@" >"$tmp/truth" 2>&1
}
abits_truth --abits soft,faults=1000000000 --mem 64M --hugetlb --rounds 5
ok $? "soft finds exactly the huge pages that were touched"
sed -n 's/^# all rounds/# &/p; s/^# control:/# &/p; s/^not ok/# &/p' "$tmp/truth"
done_testing
