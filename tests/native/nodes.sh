#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest with two nodes, and a target for one of them: only that node is
# reclaimed; every page of both is right. The guest is the payload, which
# ignores the SRAT; tests/lab/numa.sh uses a Linux guest, which reads it.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
"$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
  --socket "$tmp/probe" --abits auto --reclaim on </dev/null >/dev/null \
  2>"$tmp/why" || fail_all "no reclaim: $(cat "$tmp/why")"
require_swap 128

# Without --mem: the guest has what its nodes have.
payload_start "pattern=hotcold hot=10% write=25 seconds=100000" --cpus 1 \
  --numa node=0,cpus=0,mem=64M --numa node=1,mem=64M --socket "$socket" \
  --abits auto --reclaim node1=24M,period=500ms,idle=2,cpu=50
wait_event $grace run
ok $? "the guest runs"
is "$(stat_of .memory.bytes)" $((128 << 20)) "with the memory of both nodes"
node1_within() { [ "$(stat_of '.nodes[1].resident_bytes')" -le $((26 << 20)) ]; }
some_scans_later 2
wait_for $grace node1_within
ok $? "node 1 drops to its target"
echo "# $(stat_of '.nodes | tostring')"
[ "$(stat_of '.nodes[0].resident_bytes')" -ge $((58 << 20)) ]
ok $? "node 0 gives nothing"
like "$("$vmm" stat --socket "$socket")" '^node 1 .*target 24.0 MiB' \
  "vmm stat tells"
like "$("$vmm" policy --socket "$socket" node0=32M)" '^node0 +32.0 MiB' \
  "vmm policy changes a node's target"
is "$(stat_of '[.nodes[].target_bytes] | tostring')" \
  "[$((32 << 20)),$((24 << 20))]" "and leaves the other's"
node0_within() { [ "$(stat_of '.nodes[0].resident_bytes')" -le $((34 << 20)) ]; }
wait_for $grace node0_within
ok $? "node 0 drops, too"
said=$("$vmm" policy --socket "$socket" node2=32M 2>&1)
like "$said" 'nodes 0 to 1' "a node that the guest does not have is refused"
payload_end_run
payload_wait
is "$status $(event summary errors)" "0 0" "every page is right"
is "$(event summary pages_checked)" "$(event start private_pages)" \
  "and all were looked at"

"$vmm" run --kernel "$payload" --mem 64M --reclaim node0=16M 2>"$tmp/why"
is "$? $(grep -c 'no node 0: add it with --numa' "$tmp/why")" "2 1" \
  "a node's target without nodes is refused"
"$vmm" run --kernel "$payload" --mem 64M --numa node=0,cpus=0,mem=32M \
  2>"$tmp/why"
is "$? $(grep -c -- '--numa: .*set --mem to the sum' "$tmp/why")" "2 1" \
  "nodes that are not all memory are refused"
"$vmm" run --kernel "$payload" --numa node=0,mem=64M,cpus=0,host=63 2>"$tmp/why"
is "$? $(grep -c -- '--numa: .*leave host= out' "$tmp/why")" "2 1" \
  "and so is a node that the host has not"
"$vmm" run --kernel "$payload" --mem 32M --reclaim on --sink numa,to=63 \
  2>"$tmp/why"
is "$? $(grep -cE 'only one NUMA node|on node 63' "$tmp/why")" "1 1" \
  "and cold pages can't go there"
done_testing
