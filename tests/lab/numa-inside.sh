# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1, which has two nodes: a Debian guest with nodes, and one whose cold
# pages move to the other node.  Prints TAP.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
kernel=$LAB_GUEST_KERNEL
is "$(cat /sys/devices/system/node/has_memory)" 0-1 \
  "this machine has memory on two nodes"

# on_node NODE: pages of shared memory there, mapped or not, by the kernel
on_node() {
  awk '/ Shmem:/ { print $4 / 4 }' "/sys/devices/system/node/node$1/meminfo"
}
# bound NODE: pages in mappings bound to it that are anywhere else
bound_elsewhere() {
  sed -n "/ bind:$1 /p" "/proc/$vmm_pid/numa_maps" | tr ' ' '\n' |
    sed -n "/^N$1=/d; s/^N[0-9]*=//p" | awk '{ n += $1 } END { print n + 0 }'
}

# A guest with nodes of its own.
mkfifo "$tmp/keys"
exec 9<>"$tmp/keys"
"$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" \
  --cmdline "console=ttyS0 quiet panic=-1" --cpus 2 --abits none \
  --numa node=0,cpus=0,mem=160M,host=0 --numa node=1,cpus=1,mem=96M,host=1 \
  <"$tmp/keys" >"$tmp/console" 2>"$tmp/messages" &
vmm_pid=$!
wait_for 90 grep -q '^R ready' "$tmp/console"
booted=$?
answer() { tr -d '\r' <"$tmp/console" | sed -n "s/^R $1 *//p"; }
[ $booted = 0 ] || guest_hung "$tmp/console" "$tmp/messages"
is "$(answer 'node0 cpus') $(answer 'node1 cpus')" "0 1" \
  "a stock guest sees two nodes, with a CPU each"
# Linux leaves out the first page.
is "$(answer 'node0 pages') $(answer 'node1 pages')" \
  "$(((160 << 8) - 1)) $((96 << 8))" "and their memory"
is "$(answer 'node0 distance') $(answer 'node1 distance')" "10 20 20 10" \
  "and they are as far apart as the host's"
is "$(answer srat)" 2 "by SRAT and SLIT"
is "$(tr -d '\r' <"$tmp/console" | grep -ci 'srat.*\(invalid\|error\)')" 0 \
  "of which the kernel does not complain"
is "$(grep -c ' bind:[01] ' "/proc/$vmm_pid/numa_maps") $(bound_elsewhere 0) \
$(bound_elsewhere 1)" "2 0 0" "the memory of both is on its node of the host"
echo >&9
wait "$vmm_pid"
is $? 0 "the guest powers off"

# The sink, by itself.
"$abs_top_builddir/tests/unit/sink-numa" >"$tmp/unit"
is "$? $(grep -c SKIP "$tmp/unit")" "0 0" "the sink moves pages there and back"
grep '^not ok' -A 3 "$tmp/unit" | sed 's/^/# /'

# Under a guest: cold pages are moved to node 1, those used again back to node 0.
before=$(on_node 1)
payload_start "pattern=phase hot=20% phase_ms=15000 seconds=100000" \
  --socket "$socket" --abits soft --sink numa,to=1,from=0 \
  --numa node=0,cpus=0,mem=96M,host=0 \
  --reclaim target=48M,period=500ms,idle=2,cpu=80
wait_event 90 run
ok $? "a guest fills its memory"
gone() { [ "$(stat_of .memory.swapped_bytes)" -ge $((24 << 20)) ]; }
wait_for 90 gone
ok $? "cold pages are evicted"
echo "# resident and away: $(stat_of '[.memory.resident_bytes,
  .memory.swapped_bytes] | tostring'), on node 1: $(on_node 1) pages"
between $(((16 << 20) / 4096)) $(($(on_node 1) - before)) \
  $(((90 << 20) / 4096)) \
  "the kernel has them on node 1"
is "$(grep -c . /proc/swaps)" 1 "(there is no swap)"
# An emulated guest uses few of them in a minute, and fewer on a busy machine.
promoted() { [ "$(stat_of .engine.nr_promoted)" -ge 64 ]; }
wait_for 300 promoted
ok $? "pages used there come back"
some_scans_later 2
echo "# evicted, promoted, refaults: $(stat_of '[.engine.nr_evicted,
  .engine.nr_promoted, .engine.nr_refaults] | tostring')"
# While a scan is under way one is ahead of the other.
all_refaults() {
  [ "$(stat_of '.engine.nr_promoted == .engine.nr_refaults')" = true ]
}
wait_for 60 all_refaults
ok $? "and each that did is a refault"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
payload_end_run
payload_wait
is "$status $(event summary errors)" "0 0" "every page is right"
is "$(event summary pages_checked)" "$(event start private_pages)" \
  "and all were looked at"

"$vmm" run --kernel "$payload" --mem 32M --sink numa,to=7 --reclaim on \
  --abits soft >/dev/null 2>"$tmp/why"
is "$? $(grep -c 'node 7: allowed nodes with memory are 0, 1' "$tmp/why")" "1 1" \
  "a node that is not there is refused"
"$vmm" doctor --json >"$tmp/json"
is "$(jq -r '.facts[] | select(.group == "sinks" and .name == "numa") |
  .status + " " + .value' "$tmp/json")" \
  "ok passed its self-test: 512 of 512 pages were evicted and read back" \
  "vmm doctor has tried it"
done_testing
