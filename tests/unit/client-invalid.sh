#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm's commands when something other than a VM listens: they end, report it,
# and exit with status 1. Lost output is not a success.
. "${abs_top_srcdir:-.}/tests/functions.sh"
odd=${abs_top_builddir:-build}/tests/unit/invalid-server
server=
stop() {
  [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
  server=
}
on_exit() { stop; }
start() { # WHAT [SEED]
  stop
  rm -f "$tmp/s"
  "$odd" "$tmp/s" "$@" 2>"$tmp/odd.err" &
  server=$!
  wait_for 120 test -S "$tmp/s" && return
  sed 's/^/# /' "$tmp/odd.err"
  exit 1
}
# Ends a hang; nothing else.
run() { timeout 120 "$vmm" "$@" --socket "$tmp/s" >"$tmp/out" 2>"$tmp/err"; }

# refused WHAT MESSAGE VERB...
refused() {
  _what=$1 _message=$2
  shift 2
  start "$_what"
  run "$@"
  _status=$?
  is "$_status" 1 "$*: $_what: status 1"
  like "$(head -c 2000 "$tmp/err")" "$_message" "$*: $_what: reported"
}
for what in 'rubbish HTTP/0.9|not.an.answer.of.vmm' 'text not.an.answer.of.vmm' 'half partial|outstanding|[Tt]ransfer' \
  'header header.*longer' 'refuse busy.as.a.bee'; do
  for verb in stat policy 'inspect pids'; do
    # shellcheck disable=SC2086 # words
    refused ${what%% *} "${what#* }" $verb
  done
done
refused big 'longer than 1 MiB' stat
refused big 'longer than 1 MiB' policy
refused big 'longer than 1 MiB' inspect page 1
refused big 'longer than 8 MiB' inspect pid 1
refused big 'longer than 16 MiB' inspect pids
refused big 'longer than 16 MiB' stat --wss
for what in 'rubbish HTTP/0.9|not.an.answer.of.vmm' 'line longer.than.4.MiB' 'lines not.an.answer.of.vmm' \
  'header header.*longer' 'refuse busy.as.a.bee'; do
  refused ${what%% *} "${what#* }" stat --follow
done
refused broken 'closed the connection in the middle of a line' stat --follow
is "$(wc -l <"$tmp/out")" 2 'the line before is printed, under its head'
refused mute 'no answer in time' stat
refused mute 'no answer in time' stat --follow
refused drip 'no answer in time' inspect pids

# wrong MESSAGE WORD...: refused before any VM is asked
wrong() {
  _message=$1
  shift
  timeout 120 "$vmm" inspect --socket "$tmp/none" "$@" 2>"$tmp/err"
  is "$?" 2 "inspect $*: status 2"
  like "$(cat "$tmp/err")" "$_message" "inspect $*: the message"
}
wrong "unknown word 'pagee': did you mean 'page'" pagee 1
wrong "unknown word 'zzz': there are page, " zzz
wrong 'page: GFN is missing' page
wrong "page: GFN='12z' is not a number like" page 12z
wrong "pid: PID='abc' is not a number like" pid abc
wrong "pids: unexpected argument '3'" pids 3
wrong "page: unexpected argument '2'" page 1 2
wrong 'map: PID is missing' map

# Of any shape.
seed=0 bad=
while [ $seed -lt 12 ]; do
  seed=$((seed + 1))
  start shapes $seed
  for verb in stat 'stat --wss' policy 'policy idle=3' 'inspect pids' \
    'inspect pid 1' 'inspect page 1' 'inspect referenced 1' 'inspect map 1' \
    'inspect map 1 400000-500000'; do
    # shellcheck disable=SC2086 # words
    run $verb
    status=$?
    [ $status -le 1 ] || bad="$bad seed $seed: $verb: status $status;"
    ! grep -q "$(printf '\033')" "$tmp/out" ||
      bad="$bad seed $seed: $verb: control characters;"
  done
  timeout 120 "$vmm" top --batch --iterations 1 --socket "$tmp/s" \
    >"$tmp/out" 2>"$tmp/err"
  status=$?
  [ $status -le 1 ] || bad="$bad seed $seed: top: status $status;"
  timeout 120 "$vmm" balance --target 64M --once --dry-run --named-only \
    --period 1 --guest "odd,socket=$tmp/s" >"$tmp/out" 2>"$tmp/err"
  status=$?
  [ $status -le 1 ] || bad="$bad seed $seed: balance: status $status;"
done
is "$bad" '' "answers of any shape end no command by a signal"
stop

for words in --help --version 'stat --help'; do
  # shellcheck disable=SC2086 # words
  "$vmm" $words >/dev/full 2>"$tmp/err"
  is $? 1 "$words: standard output is full: status 1"
  like "$(cat "$tmp/err")" 'all of the output.*(No space|$)' "$words: reported"
done
"$vmm" --version >&- 2>"$tmp/err"
is $? 1 "standard output is closed: status 1"
for port in 99999 65536 0 -1 http ''; do
  timeout 60 "$vmm" metrics --listen "127.0.0.1:$port" >"$tmp/out" 2>"$tmp/err"
  is "$? $(grep -c 9717 "$tmp/err")" '2 1' \
    "metrics --listen: port '$port' is refused with an example"
done
done_testing
