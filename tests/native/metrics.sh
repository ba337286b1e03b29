#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm metrics: two VMs and a socket that hangs, printed and over HTTP.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require socat
a=metrics-$$-a b=metrics-$$-b hung=metrics-$$-hung pids='' rundir=/run/vmm
if [ "$(id -u)" != 0 ]; then
  # A user's sockets are there, and a login that is not systemd's sets none.
  XDG_RUNTIME_DIR=$tmp
  export XDG_RUNTIME_DIR
  rundir=$XDG_RUNTIME_DIR/vmm
fi
on_exit() {
  # shellcheck disable=SC2086 # numbers
  [ -z "$pids" ] || kill $pids 2>/dev/null
  rm -f "$rundir/$hung.sock"
}
mkfifo "$tmp/input"
exec 3<>"$tmp/input"
for name in $a $b; do
  "$vmm" run --kernel "$payload" --cmdline "pattern=idle seconds=100000" \
    --mem 32M --name $name --abits none <"$tmp/input" >"$tmp/$name.log" 2>&1 &
  pids="$pids $!"
done
# told NAME UP...: of all these in one text
told() {
  "$vmm" metrics >"$tmp/text" 2>"$tmp/why" || return 1
  while [ $# -gt 0 ]; do
    grep -q "^vmm_up{vm=\"$1\"} $2\$" "$tmp/text" || return 1
    shift 2
  done
}
wait_for 300 told $a 1 $b 1
ok $? "both VMs are reported"
socat "UNIX-LISTEN:$rundir/$hung.sock,fork" EXEC:'sleep 1000' 2>/dev/null &
pids="$pids $!"
wait_for 300 told $hung 0 $a 1 $b 1
ok $? "one that hangs is down, and the others are reported all the same"
for name in $a $b; do
  is "$(grep "^vmm_memory_bytes{vm=\"$name\"}" "$tmp/text")" \
    "vmm_memory_bytes{vm=\"$name\"} $((32 << 20))" "memory of $name"
done
is "$(grep -c '^# TYPE vmm_memory_bytes ' "$tmp/text")" 1 "each family once"
is "$(tail -n 1 "$tmp/text")" "# EOF" "and an end"

# Until it serves, or ends as somebody has the port.
serves_or_ended() { grep -q serving "$tmp/out" || ! kill -0 $server; }
serve() {
  "$vmm" metrics --listen 127.0.0.1:$port >"$tmp/out" 2>&1 &
  server=$!
  pids="$pids $server"
  wait_for 300 serves_or_ended && grep -q serving "$tmp/out"
}
at_free_port serve
ok $? "by HTTP"
got() { curl -sS --max-time 120 "http://127.0.0.1:$port/$1" >"$tmp/http" \
  2>/dev/null; }
got_both() {
  got metrics && grep -q "^vmm_up{vm=\"$a\"} 1\$" "$tmp/http" &&
    grep -q "^vmm_up{vm=\"$b\"} 1\$" "$tmp/http"
}
wait_for 300 got_both
ok $? "both are reported"
like "$(curl -sSI --max-time 120 -X GET "http://127.0.0.1:$port/metrics" |
  tr -d '\r')" 'Content-Type: application/openmetrics-text' "as OpenMetrics"
is "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/other")" \
  404 "there is nothing else"
is "$(curl -sS -o /dev/null -w '%{http_code}' -X PUT \
  "http://127.0.0.1:$port/metrics")" 405 "and nothing to write"
# It keeps 16 connections, so the oldest of more that say nothing are closed.
for i in $(seq 20); do
  socat -u "TCP:127.0.0.1:$port" STDOUT >"$tmp/idle.$i" 2>/dev/null &
  pids="$pids $!"
done
closed() { [ "$(grep -l 'too many' "$tmp"/idle.* | wc -l)" -ge 4 ]; }
wait_for 300 closed && got metrics
is "$? $(tail -n 1 "$tmp/http")" "0 # EOF" \
  "clients that say nothing keep nobody waiting"
terminate() { # sets status
  [ -n "$server" ] || at_free_port serve
  kill -TERM "$server"
  status=0
  wait "$server" || status=$?
  server=
}
until_orderly terminate
is "$status" 0 "SIGTERM ends it well"
"$vmm" metrics --listen nonsense >/dev/null 2>"$tmp/why"
is "$? $(grep -c 127.0.0.1:9717 "$tmp/why")" "2 1" \
  "an address that is none is refused with an example"
done_testing
