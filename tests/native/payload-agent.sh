#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The host's view of the payload's processes is correct, and accessed bits
# show which process touched a page: of the shared region both processes use the
# first third, only the first process the second, and none the last.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require

# No scan comes in between: each clears bits, which pages get back when the guest has
# a processor again.
payload_start "pattern=shared shared=6M seconds=100000 agent=1" \
  --mem 96M --cpus 2 --socket "$socket" --reclaim off,period=3600s
wait_event 300 run
ok $? "the guest runs"
is "$(event agent state)" connected "its agent is connected"
[ "$nr_failed" = 0 ] || { done_testing; exit 1; }
has_report() { [ "$(stat_of .agent.epoch)" -ge 1 ]; }
wait_for 300 has_report
ok $? "a complete report arrives"
is "$(stat_of .agent.nr_rejected)" 0 "no message is refused"

is "$(api /processes | jq -c '[.[].pid] | sort')" '[1000,1001]' \
  "both processes are known"
private=$(event start private_pages)
shared=$(event start shared_pages)
gfn=$(event start private_gfn)
for pid in 1000 1001; do
  process=$(api /process/$pid)
  is "$(printf %s "$process" | jq -c '[.vmas[] | .start]')" \
    "[$((1 << 39)),$((1 << 40))]" "$pid: its two regions are where they are"
  is "$(printf %s "$process" | jq -c '[.vmas[] | (.end - .start) / 4096]')" \
    "[$private,$shared]" "$pid: and as long as they are"
  is "$(printf %s "$process" | jq -c '[.vmas[] | .nr_mapped]')" \
    "[$private,$shared]" "$pid: all their pages are mapped"
done

# page GFN JQ: of GET /page/GFN
page() { api "/page/$1" | jq -c "$2"; }
for i in 0 1 $((private / 2)) $((private - 1)); do
  is "$(page $((gfn + i)) '[.mapcount, .mapping, .index,
      (.mappings[] | .pid, .address)]')" \
    "[0,\"anon\",$(((1 << 27) + i)),1000,$(((1 << 39) + i * 4096))]" \
    "private page $i is process 1000's alone, at its address"
done
is "$(page $((gfn + private)) '[.mappings[].pid]')" '[1001]' \
  "the frame behind them is process 1001's"
is "$(page $(($(event start pool_gfn) + 1)) '.flags | index("page-table") != null
    or index("reserved") != null')" true "page tables may not be evicted"

# Everybody has touched what they touch when a second has passed: each third
# has 512 pages, and processes do millions of operations a second; but nothing
# is said of speed, so wait until the last ones have their bits.
accessed() { # PAGE OF THE SHARED REGION
  page $(($(event start shared_gfn) + $1)) \
    '[.mappings | sort_by(.pid)[] | [.pid, .accessed]]'
}
third=$((shared / 3))
third_is() { # FIRST WANT
  for _i in 0 7 $((third / 2)) $((third - 1)); do
    [ "$(accessed $(($1 + _i)))" = "$2" ] || return 1
  done
}
check_third() { # FIRST WANT NAME
  wait_for 300 third_is "$1" "$2"
  ok $? "$3" || :
  third_is "$1" "$2" || echo "# got $(accessed "$1"), want $2"
}
check_third 0 '[[1000,true],[1001,true]]' "first third: used by both"
check_third $third '[[1000,true],[1001,false]]' "second third: used by one"
check_third $((2 * third)) '[[1000,false],[1001,false]]' "last third: by none"
is "$(page "$(event start shared_gfn)" '[.mapcount, .mapping]')" '[1,"file"]' \
  "a shared page is mapped twice, as a file's"

# The same as a person sees it.
shared_at=$(printf %x $((1 << 40)))
drawn() { # PID: letters of the guest's side, how many of each in a row
  NO_COLOR=1 "$vmm" inspect --socket "$socket" map "$1" "$shared_at" |
    tee "$tmp/drawing" | sed -n '/^ *guest  *host/,/^guest,/p' |
    awk '/^[0-9a-f]+ / { printf "%s", $2 }' | fold -w 1 | uniq -c |
    awk '{ printf "%s%s%s", (NR > 1 ? " " : ""), $1, $2 }'
}
drawn_is() { [ "$(drawn "$1")" = "$2" ]; }
check_drawn() { # PID WANT NAME
  wait_for 300 drawn_is "$1" "$2"
  is "$(drawn "$1")" "$2" "$3"
}
check_drawn 1001 "256w 512p" "inspect map: one process has used a third"
check_drawn 1000 "512w 256p" "inspect map: the other one two thirds"
sed 's/^/# /' "$tmp/drawing"
NO_COLOR=1 "$vmm" inspect --socket "$socket" map 1000 nowhere \
  >/dev/null 2>"$tmp/refusal"
is "$? $(grep -c "'nowhere' is not a place" "$tmp/refusal")" "2 1" \
  "inspect map: a place that is none is refused"

payload_end_run
payload_wait
is "$status $(event summary errors)" "0 0" "the guest ends well"
done_testing
