#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The console on a terminal: raw while the guest runs, left by the escape key or
# a signal, and then as it was before.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require script:bsdutils
typing=
on_exit() {
  payload_cleanup
  exec 8>&-
  [ -z "$typing" ] || kill "$typing" 2>/dev/null
}

# `&` without job control takes /dev/null for input: 7 keeps the terminal.
cat >"$tmp/session" <<EOT
exec 7<&0
stty -a >"$tmp/before"
tty >"$tmp/tty"
"$vmm" run --kernel "$payload" --cmdline 'pattern=idle seconds=100000' --mem 96M \
  --abits none --no-agent --socket "$tmp/socket" <&7 &
vmm_pid=\$!
echo \$vmm_pid >"$tmp/pid"
wait \$vmm_pid
echo \$? >"$tmp/status"
stty -a >"$tmp/after"
EOT
mkfifo "$tmp/keys"

# begin: a session on a terminal of its own, its guest running.
begin() {
  rm -f "$tmp/pid" "$tmp/status" "$tmp/after"
  : >"$tmp/shown"
  exec 8<>"$tmp/keys"
  script -qfec "sh $tmp/session" /dev/null <"$tmp/keys" >"$tmp/shown" 2>&1 &
  typing=$!
  wait_for 300 grep -q '"event":"run"' "$tmp/shown"
}
# ended: within the limit; sets status.
ended() {
  wait_for 300 test -s "$tmp/after"
  status=$(cat "$tmp/status" 2>/dev/null)
  kill "$typing" 2>/dev/null
  wait "$typing" 2>/dev/null
  typing=
}

# escape (after Ctrl-A), terminate: what is begun, or else another one, is stopped.
escape() {
  [ -n "$typing" ] || { begin && printf '\001' >&8; }
  printf 'x' >&8
  ended
}
terminate() {
  [ -n "$typing" ] || begin
  kill -TERM "$(cat "$tmp/pid")"
  ended
}

begin
ok $? 'a guest runs on a terminal'
stty -a <"$(cat "$tmp/tty")" >"$tmp/during"
like "$(cat "$tmp/before")" '(^| )isig.* icanon' 'the terminal had signals and lines'
like "$(cat "$tmp/during")" '-isig -icanon' 'and is raw while the guest runs'
printf '\001' >&8
sleep 0.3
[ ! -e "$tmp/status" ]
ok $? 'Ctrl-A alone does nothing'
until_orderly escape
is "$status" 6 'Ctrl-A x stops it: exit status 6'
is "$(cat "$tmp/after")" "$(cat "$tmp/before")" 'the terminal is as before'

until_orderly terminate
is "$status" 6 'SIGTERM stops it: exit status 6'
is "$(cat "$tmp/after")" "$(cat "$tmp/before")" 'the terminal is as before'
[ ! -e "$tmp/socket" ]
ok $? 'the socket is removed'
# Output that can't be written is lost, and ends no guest.
status=0
timeout 300 "$vmm" run --kernel "$payload" --cmdline 'pattern=idle seconds=1' \
  --mem 96M --abits none --no-agent --socket "$tmp/socket" \
  >/dev/full 2>"$tmp/stderr" </dev/null || status=$?
is "$status" 0 'standard output is full: the guest runs to its end'
is "$(grep -c "cannot write console output to standard output: No space" "$tmp/stderr")" 1 \
  'that is said once'
like "$(cat "$tmp/stderr")" 'bytes of console output were lost: No space' \
  'and at the end how much was lost'
done_testing
