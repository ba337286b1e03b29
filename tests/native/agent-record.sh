#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `vmm run --agent-record`: the history of a live guest, replayed through the
# three schemes and compared with a plain list of mappings; and files that can't
# be written, which must not affect the guest.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
replay=${abs_top_builddir:-build}/tests/unit/rmap-replay

# record FILE: a guest that sends one report, to its end
record() {
  : >"$tmp/stderr"
  payload_start "pattern=shared shared=2M seconds=100000 agent=1" \
    --mem 32M --cpus 2 --socket "$socket" --agent-record "$1"
  wait_event 300 run
  ok $? "$1: the guest runs"
  has_report() { [ "$(stat_of .agent.epoch)" -ge 1 ]; }
  wait_for 300 has_report
  ok $? "$1: a complete report arrives"
  payload_end_run
  payload_wait
  is "$status" 0 "$1: the guest ends well"
}

record "$tmp/trace"
"$replay" "$tmp/trace" >"$tmp/replayed"
ok $? "the recording is replayed through the three schemes, and they agree"
sed 's/^/# /' "$tmp/replayed"
is "$(grep -c '^mm ' "$tmp/trace")" 2 "it has both processes"
pages=$(($(event start private_pages) + $(event start shared_pages)))
is "$(sed -n 's/^# map: //p' "$tmp/replayed")" $((2 * pages)) \
  "and all the pages they map"
is "$(stat -c %a "$tmp/trace")" 600 "it is the owner's alone"

record /dev/full
is "$(grep -c 'No space left on device; recording stops' "$tmp/stderr")" 1 \
  "a full disk is told once"

said=$("$vmm" run --kernel "$payload" --agent-record "$tmp/no/file" 2>&1)
is "$?" 1 "a file in no directory: status"
like "$said" "--agent-record $tmp/no/file: No such file" "and message"
said=$("$vmm" run --kernel "$payload" --no-agent --agent-record "$tmp/f" 2>&1)
is "$?" 2 "with --no-agent: status"
like "$said" 'no agent to record: leave out --no-agent' "and message"
done_testing
