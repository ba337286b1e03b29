# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: one guest; types commands on its console, and prints TAP.
. "${abs_top_srcdir:-.}/tests/functions.sh"
vmm_pid=
on_exit() { [ -z "$vmm_pid" ] || kill "$vmm_pid" 2>/dev/null; }
kernel=$LAB_GUEST_KERNEL
cd "$tmp" || exit 1
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1
mkfifo input
exec 9<>input
"$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" \
  --cmdline "console=ttyS0 quiet panic=-1" --mem 256M --abits kvm-young \
  --socket "$tmp/socket" <input >console 2>messages &
vmm_pid=$!

api() { # PATH...
  for _path; do echo "url = http://vmm$_path"; done |
    curl -sS --max-time 20 --unix-socket "$tmp/socket" --config -
}
stat_of() { value_of "$tmp/socket" /stats "$1"; }
say() { echo "$1" >&9; }
# command TEXT ANSWER: and wait for a new line of the guest's that begins so.
answers() { grep -c "^$1" console; }
more_answers() { [ "$(answers "$1")" -gt "$2" ]; }
command_guest() {
  _had=$(answers "$2")
  say "$1"
  wait_for 300 more_answers "$2" "$_had"
}
give_up() {
  tr -d '\r' <console | tail -n 30 | sed 's/^/# console: /'
  sed 's/^/# messages: /' messages
  done_testing
  exit 1
}
# Two epochs from now the host has heard of all that is now.
epoch_is() { [ "$(stat_of .agent.epoch)" -ge "$1" ]; }
two_epochs() { wait_for 100 epoch_is $(($(stat_of .agent.epoch) + 2)); }

# --- the truth as JSON, and the same made of the host's answers -------------
truth() {
  command_guest truth 'T end' || return 1
  tr -d '\r' <console | awk '/^T pid/ { t = "" } /^T / { t = t $0 "\n" }
    /^T end/ { last = t } END { printf "%s", last }' >truth
  jq -nR '[inputs | split(" ") | select(.[1] == "pages") |
    (.[2] | tonumber) as $pid | (.[3] | tonumber) as $at |
    [.[4:][] | tonumber] | to_entries[] |
    {gfn: .value, at: [$pid, $at + .key * 4096]}] |
    group_by(.gfn) | map({gfn: .[0].gfn, at: map(.at) | sort})' truth >frames
  parent=$(awk '/^T pid/ { print $3 }' truth)
  child=$(awk '/^T pid/ { print $4 }' truth)
}
host_frames() {
  # shellcheck disable=SC2046 # one word each
  api $(jq -r '.[] | "/page/\(.gfn)"' frames) |
    jq -s 'map({gfn, at: [.mappings[]? | [.pid, .address]] | sort}) |
      sort_by(.gfn)' >host-frames
}
frames_agree() { host_frames && cmp -s frames host-frames; }
began=$(date +%s)
check_frames() { # NAME
  echo "# after $(($(date +%s) - began)) s:"
  wait_for 100 frames_agree
  ok $? "$1: all $(jq length frames) frames name who maps them where"
  jq -nc --slurpfile t frames --slurpfile h host-frames '[$t[0], $h[0]] |
    transpose[] | select(.[0] != .[1]) | {truth: .[0], host: .[1]}' |
    head -n 8 | sed 's/^/# /'
}
host_regions() { # PID
  api "/process/$1" | jq -r --arg pid "$1" \
    '.vmas[]? | "\($pid) \(.start) \(.end) \(.nr_mapped)"'
}
true_regions() { # PID: with how many pages each has
  awk -v pid="$1" 'BEGIN { n = 0 }
    /^T vma/ && $3 == pid { s[n] = $4; e[n++] = $5 }
    /^T pages/ && $3 == pid { for (i = 0; i < n; i++)
      if ($4 >= s[i] && $4 < e[i]) c[i] += NF - 4 }
    END { for (i = 0; i < n; i++)
      printf "%s %s %s %d\n", pid, s[i], e[i], c[i] }' truth
}
check_regions() { # NAME
  for _pid in $parent $child; do
    [ "$_pid" != 0 ] || continue
    is "$(host_regions "$_pid")" "$(true_regions "$_pid")" \
      "$1: process $_pid has its $(true_regions "$_pid" | wc -l) regions"
  done
}
# frame_of REGION N PID: what frame the process has in the N-th page there
frame_of() {
  awk -v name="$1" -v n="$2" -v pid="$3" '
    $2 == "region" && $3 == name { at = $4 + n * 4096 }
    $2 == "pages" && $3 == pid && at >= $4 && at < $4 + (NF - 4) * 4096 {
      print $(5 + (at - $4) / 4096) }' truth
}

wait_for 120 more_answers 'G ready' 0 || guest_hung console messages
wait_for 100 epoch_is 1
ok $? "its agent connects and sends a report"
truth || { ok 1 "the guest reports the truth"; give_up; }
two_epochs
check_frames "first report"
check_regions "first report"
both="[$parent,$child]"
# One request for all: starting programs is slow in here.
is "$(api "/page/$(frame_of anon 5 "$parent")" \
  "/page/$(frame_of shared 5 "$child")" "/page/$(frame_of cow 3 "$parent")" \
  "/page/$(frame_of cow 3 "$child")" "/page/$(frame_of cow 20 "$child")" |
  jq -c '[.mapping, .mapcount, (.mappings | map(.pid) | sort)]')" \
  "[\"anon\",1,$both]
[\"file\",1,$both]
[\"anon\",0,[$parent]]
[\"anon\",0,[$child]]
[\"anon\",1,$both]" \
  "anonymous, shared file's, copied on write, not copied yet: whose they are"

locked() { # PAGE: [flagged, in a locked region of the parent, of the child]
  api "/page/$(frame_of locked "$1" "$parent")" | jq -c \
    --argjson p "$parent" --argjson c "$child" '[(.flags | index("locked")),
    (.mappings[] | select(.pid == $p) | .vma.flags | index("locked")),
    (.mappings[] | select(.pid == $c) | .vma.flags | index("locked"))] |
    map(. != null)'
}
is_locked() { [ "$(locked 7)" = '[true,true,false]' ]; }
wait_for 100 is_locked
ok $? "mlocked: the frame is flagged, and the parent's region, not the child's"
[ "$nr_failed" = 0 ] || echo "# now: $(locked 7)"
is "$(api "/page/$(frame_of anon 5 "$parent")" | jq -c '.flags |
  index("locked")')" null "another frame is not"

list_of() { api "/page/$(frame_of "$1" 5 "$parent")" | jq -r .list; }
is_unevictable() { [ "$(list_of locked)" = unevictable ]; }
wait_for 100 is_unevictable
ok $? "mlocked: on the unevictable list"
like "$(list_of anon)" '^(in)?active$' "the other is not"
# Scans are not needed any more, and cost time in here.
echo '{"scan_period_ms": 60000}' | curl -sS --unix-socket "$tmp/socket" \
  --request PUT --data @- http://vmm/policy >policy
is "$(jq .scan_period_ms policy)" 60000 "few scans from now on"

is "$(stat_of .agent.nr_rejected)" 0 "no message was refused"
command_guest quiet 'G quiet'
answer=$(tr -d '\r' <console | sed -n 's/^G log //p')
printf '%s\n' "$answer" | sed 's/^/# quiet: /'
like "$answer" ': 144 bytes, .* 0 processes read, [1-9]' \
  "where nothing changes, no process is read, and little is sent"

# --- the agent is killed and started again -----------------------------------
disconnected() { [ "$(stat_of .agent.connected)" = false ]; }
command_guest agent-stop 'G stopped'
wait_for 100 disconnected
ok $? "the agent is killed: the host sees it"
host_frames
cmp -s frames host-frames
ok $? "the view stays meanwhile"
connected_again() { [ "$(stat_of '.agent.nr_connections')" = 2 ]; }
command_guest agent-start 'G started'
wait_for 100 connected_again
ok $? "started again, it connects again"
wait_for 100 epoch_is 1
truth || give_up
two_epochs
check_frames "report of the new connection"
check_regions "report of the new connection"

# --- processes end ------------------------------------------------------------
gone() { api "/process/$1" | jq -e 'has("error")'; }
gone_child=$child
gfn=$(frame_of cow 3 "$child")
command_guest child 'T child gone'
wait_for 100 gone "$gone_child"
ok $? "the child ends: it is forgotten"
# The frame may serve another process by now.
is "$(api "/page/$gfn" "/page/$(frame_of shared 5 "$parent")" |
  jq -c --argjson c "$gone_child" '[.mappings[].pid] | index($c)')" "null
null" "neither its own frame nor a shared one names it"
truth || give_up
two_epochs
check_frames "the parent alone"
check_regions "the parent alone"
say exit
wait_for 100 gone "$parent"
ok $? "the parent ends: it is forgotten"
is "$(api /processes | jq -c --argjson p "$parent" \
  '[.[].pid] | index($p)')" null "nor is it in the list"

say end
(sleep 600; kill -KILL "$vmm_pid") >/dev/null 2>&1 &
watch=$!
status=0
wait "$vmm_pid" || status=$?
kill "$watch" 2>/dev/null
vmm_pid=
is "$status" 0 "the guest ends"
if [ "$nr_failed" != 0 ]; then
  tr -d '\r' <console | tail -n 30 | sed 's/^/# console: /'
  sed 's/^/# messages: /' messages
fi
done_testing
