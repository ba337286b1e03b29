#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `vmm balance` over two guests of one size, one idle and one that uses most of
# its memory: the memory to be saved is taken from the idle one. In addition
# there are a socket that nobody listens on and one that never answers. Nothing
# depends on speed: the test waits for the expected state.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require socat

pids='' helper=''
on_exit() {
  for _pid in $pids $helper; do
    kill "$_pid" 2>/dev/null && wait "$_pid" 2>/dev/null
  done
  payload_cleanup
}

"$vmm" run --kernel "$payload" --cmdline "seconds=0 check=0" --mem 32M \
  --socket "$tmp/probe" --abits auto --reclaim on </dev/null >/dev/null \
  2>"$tmp/why" || fail_all "no reclaim: $(cat "$tmp/why")"
require_swap 256

mem=128 mib=1048576
total=$((160 * mib))
start_guest() { # NAME CMDLINE
  mkfifo "$tmp/$1.in"
  "$vmm" run --kernel "$payload" --cmdline "$2 seconds=100000" --mem ${mem}M \
    --name "$1" --socket "$tmp/$1" --abits auto \
    --reclaim target=$((total / mib / 2))M,period=500ms,idle=2,cpu=50 \
    <"$tmp/$1.in" >"$tmp/$1.log" 2>"$tmp/$1.err" &
  pids="$pids $!"
  eval "$1_pid=$!"
}
start_guest idle "pattern=idle"
exec 4>"$tmp/idle.in"
start_guest hot "pattern=hotcold hot=80% write=25"
exec 5>"$tmp/hot.in"

of() { # NAME JQ-EXPRESSION
  socket=$tmp/$1
  stat_of "$2"
}
runs() { grep -q '"event":"run"' "$tmp/$1.log"; }
wait_for $grace runs idle && wait_for $grace runs hot
ok $? "both guests run"

mkdir "$tmp/empty"
socat UNIX-LISTEN:"$tmp/mute",fork EXEC:"sleep 1000" 2>/dev/null &
helper=$!
socat UNIX-LISTEN:"$tmp/dead" /dev/null &
dead=$!
wait_for 300 [ -S "$tmp/dead" ]
kill -KILL $dead
wait $dead 2>/dev/null
[ -S "$tmp/dead" ]
ok $? "there is a socket on which no process listens"

# Both have many shares, and so the same: each fault counts for so much more.
# On a busy machine the hot guest comes to few, which would else not be worth it.
balance() { # OPTION...: in place of the shell, which must be one of its own
  exec "$vmm" balance --target $((total / mib))M --named-only --period 1 --json \
    --guest "idle,shares=1000,min=32M,socket=$tmp/idle" \
    --guest "hot,shares=1000,socket=$tmp/hot" \
    --guest "dead,socket=$tmp/dead" --guest "mute,socket=$tmp/mute" "$@"
}
idle_comes_down() {
  [ "$(of idle .memory.resident_bytes)" -le $((total / 2 + 8 * mib)) ]
}
wait_for $grace idle_comes_down
ok $? "half of all for each: the idle one has come down to it"

(balance --once --dry-run) >"$tmp/dry"
is $? 0 "a dry run"
is "$(jq -r '[.guests[].name] | sort | join(" ")' "$tmp/dry")" "hot idle mute" \
  "knows the two and the one that is mute, and nobody behind the dead socket"
is "$(jq -r '.guests[] | select(.name == "mute") | .fixed' "$tmp/dry")" true \
  "the mute one is left as it is"
is "$(of idle .policy.target_bytes) $(of hot .policy.target_bytes)" \
  "$((total / 2)) $((total / 2))" "and changes nothing"

: >"$tmp/rounds"
begin_balance() {
  balance >>"$tmp/rounds" 2>>"$tmp/messages" &
  balance_pid=$!
  pids="$pids $balance_pid"
}
begin_balance
moved() {
  [ "$(of idle .policy.target_bytes)" -le $((total / 2 - 16 * mib)) ] &&
    [ "$(of hot .policy.target_bytes)" -ge $((total / 2 + 16 * mib)) ]
}
wait_for $grace moved
ok $? "the target of the idle one sinks, that of the hot one rises"
follows() {
  [ "$(of idle .memory.resident_bytes)" -le $((total / 2 - 12 * mib)) ]
}
wait_for $grace follows
ok $? "and its memory follows"
echo "# idle: $(of idle '[.memory.resident_bytes, .policy.target_bytes]' |
  tr -d '\n'), hot: $(of hot '[.memory.resident_bytes, .policy.target_bytes,
  .engine.nr_refaults]' | tr -d '\n')"
terminate() { # sets status
  [ -n "$balance_pid" ] || {
    had=$(wc -l <"$tmp/rounds")
    begin_balance
    decides() { [ "$(wc -l <"$tmp/rounds")" -gt "$had" ]; }
    wait_for $grace decides
  }
  kill -TERM $balance_pid
  status=0
  wait $balance_pid || status=$?
  balance_pid=
}
until_orderly terminate
is "$status" 0 "SIGTERM ends it"
is "$(jq -s 'map(select(.sum_bytes > .total_bytes)) | length' "$tmp/rounds")" \
  0 "no decision gave more than there was"
is "$(jq -s '[.[].guests[] | select(.name == "idle" and
  .target_bytes < 33554432)] | length' "$tmp/rounds")" 0 \
  "and none the idle one less than its minimum"
last=$(jq -s -r 'last.guests[] | select(.name == "idle") | .target_bytes' \
  "$tmp/rounds")
is "$(of idle .policy.target_bytes)" "$last" "the targets stay"

before=$(of hot .policy.target_bytes)
# A guest that has not answered in time keeps what it has: another time, then.
all_answer() {
  (balance --once --restore --target 96M) >"$tmp/once"
  [ "$(jq -r '[.guests[] | select(.fixed) | .name] | join(" ")' "$tmp/once")" = mute ]
}
wait_for 300 all_answer
is "$(jq '.sum_bytes <= 96 * 1048576' "$tmp/once")" true \
  "a smaller target: targets are smaller"
is "$(of hot .policy.target_bytes)" "$before" "--restore puts them back"

"$vmm" balance --target lots 2>"$tmp/why"
is "$? $(grep -c 'is not a size' "$tmp/why")" "2 1" "a wrong target is refused"
"$vmm" balance 2>"$tmp/why"
is "$? $(grep -c -- '--target' "$tmp/why")" "2 1" "and so is none"

# Without names all guests in the usual place, which is this test's own here.
mkdir -p /run/vmm 2>/dev/null
if unshare -m mount -t tmpfs none /run/vmm 2>/dev/null; then
  cat >"$tmp/place" <<'EOT'
mount -t tmpfs none /run/vmm || exit 1
"$1" run --kernel "$2" --cmdline "pattern=idle seconds=100000" --mem 32M \
  --name here --abits auto >"$3/here" 2>&1 </dev/null &
pid=$!
until [ -S /run/vmm/here.sock ] || ! kill -0 $pid; do
  sleep 0.1
done
"$1" balance --target 16M --once --period 1 --dry-run --json
kill $pid
wait $pid
EOT
  unshare -m sh "$tmp/place" "$vmm" "$payload" "$tmp" >"$tmp/found"
  is "$(jq -r '[.guests[].name] | join(" ")' "$tmp/found")" here \
    "guests are found where vmm stat finds them"
else
  skip "guests are found where vmm stat finds them" \
    "no permission to make a mount namespace: run as root"
fi

for name in idle hot; do
  [ $name = idle ] && printf q >&4 || printf q >&5
  status=0
  eval "wait \$${name}_pid" || status=$?
  log=$tmp/$name.log
  is "$status $(event summary errors)" "0 0" "$name: every page is right"
  is "$(event summary pages_checked)" "$(event start private_pages)" \
    "$name: and all were looked at"
done
pids=''
done_testing
