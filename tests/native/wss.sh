#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The working set of a guest whose working set is known: the payload uses a
# tenth of its pages, in scattered single pages, and no others once memory is
# filled.  Used as well are its code, the counters of its pages, and the page
# tables that the host reads when it fills the tables of the guest: they are
# part of the truth, and known only within bounds.
#
# Nothing depends on speed: the window is as long as the guest needs to use its
# hot pages, and begins when enough scans were made after the fill.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require

source_works() {
  "$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
    --socket "$tmp/probe" --abits "$1" </dev/null >/dev/null 2>"$tmp/why" &&
    ! grep -q 'running without accessed bits' "$tmp/why"
}
source_works auto || {
  sed 's/^/# /' "$tmp/why"
  fail_all "no source of accessed bits serves: see above"
}

mem=256
grace=600

wss_of() { # QUERY JQ-EXPRESSION
  api "/wss?$1" 2>/dev/null | jq -r "$2" 2>/dev/null
}
# Touches of hot pages so far, as the guest counts them.
nr_ops() {
  sed -n '/^{"event":"interval".*}/p' "$log" | tr -d '\r' | jq -s 'map(.ops) | add // 0'
}
ops_beyond() { [ "$(nr_ops)" -ge "$1" ]; }

# A window that began now, until the hot pages were used: they are chosen at
# random, and with 4 touches for each page one in 55 has none.
# Pages never used again are known to be idle: sources may take a while, and
# then the next window is looked at.  Sets window; the answer is in $tmp/wss.
window_of_hot_pages() {
  _from=$(date +%s)
  wait_for $grace ops_beyond $(($(nr_ops) + 4 * $(event start hot_pages))) ||
    return 1
  some_scans_later 2
  _ended=$(wss_of window=1 '.ended_s_ago | ceil')
  window=$(($(date +%s) - _from - ${_ended:-0}))
  [ "$window" -ge 1 ] || window=1
  api "/wss?window=$window" >"$tmp/wss" 2>/dev/null || return 1
  echo "# window of $window s: $(jq -c '[.low_bytes, .wss_bytes, .high_bytes,
    .basis.scans_in_window]' "$tmp/wss"), $(nr_ops) operations"
  [ "$(jq .wss_bytes "$tmp/wss")" -le "$1" ]
}

# Small pages: nothing is known below a huge one.
# Ages are kept for 255 scans: with this period, for longer than a busy machine
# takes.
payload_start "pattern=hotcold hot=10% write=25 seconds=100000 agent=1 report_ms=250" \
  --mem ${mem}M --mem-backing small --cpus 1 --socket "$socket" --abits auto \
  --reclaim off,period=2s,cpu=50
wait_event $grace run
ok $? "the guest fills its memory and runs"

hot=$(($(event start hot_pages) * 4096))
# Counters: 4 bytes a page.  Tables: 512 pages each.  Code, stacks, devices.
more=$((mem * 1024 + mem * 2048 + (1 << 20)))
some_scans_later 3
for _ in 1 2 3 4 5 6 7 8 9 10; do
  window_of_hot_pages $((hot + more)) && break
done
[ "$(jq .wss_bytes "$tmp/wss")" -le $((hot + more)) ]
ok $? "what was only filled leaves the window"

low=$(jq .low_bytes "$tmp/wss")
estimate=$(jq .wss_bytes "$tmp/wss")
high=$(jq .high_bytes "$tmp/wss")
echo "# hot $hot and up to $more more; estimate $estimate, $low to $high," \
  "source $(jq -r .basis.source "$tmp/wss"), window of $window s"
jq -c 'del(.pages_by_idle_scans, .processes)' "$tmp/wss" | sed 's/^/# /'
between 0 "$low" $((hot + more)) "the truth is at least the lower bound"
between $((hot - hot / 20)) "$high" $((mem << 20)) "and at most the upper one"
between $((hot - hot / 10)) "$estimate" $((hot + hot / 10)) \
  "the estimate is within 10 % of the hot pages"
between "$low" "$estimate" "$high" "and between the bounds"

# The agent's one process has the hot pages, and no other part of the guest.
between $((hot - hot / 10)) "$(jq '.processes[0].wss_bytes' "$tmp/wss")" \
  $((hot + hot / 10)) "the process' estimate is within 10 % of them"
pid=$(jq '.processes[0].pid' "$tmp/wss")
is "$(wss_of "window=$window&pid=$pid" \
  '.processes[0] | .wss_bytes == ([.vmas[].wss_bytes] | add)')" true \
  "its regions add up to it"

# Control: a window that has the fill in it has all the memory.
long=$(wss_of window=86400 .high_bytes)
between $((mem * 9 / 10 << 20)) "$long" $((mem << 20)) \
  "a window back to the fill may have all that was filled"

said=$("$vmm" stat --socket "$socket" --wss --window $window)
is "$?" 0 "vmm stat --wss"
like "$said" '^guest .*at least .*, at most ' "prints the interval"
like "$said" "^ .* $pid " "and the process"
"$vmm" stat --socket "$socket" --wss --window soon >"$tmp/out" 2>&1
is "$?" 1 "a window that is no time is refused"
like "$(cat "$tmp/out")" "window: 'soon' is not a number" "by name"
api /metrics | grep -q '^vmm_wss_low_bytes{'
ok $? "the bounds are among the metrics"

payload_end_run
payload_wait
is "$status" 0 "the guest checks its pages and powers off"
done_testing
