#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `vmm run`, `vmm attach`, `vmm metrics --listen`, `vmm balance` and `vmm top`
# are ended by a signal even while they wait for something that never happens: a
# kernel that is a FIFO nobody writes to, a libvirt that takes connections and
# never answers, a reader.
. "${abs_top_srcdir:-.}/tests/functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
require socat script:bsdutils
pid=
listener=
on_exit() {
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
  [ -z "$listener" ] || kill "$listener" 2>/dev/null
}

has_guard() {
  grep -qx vmm-stop "/proc/$pid/task/"*/comm 2>/dev/null
}

# All of its threads sleep, and none has run for half a second: whatever it was to
# wait for, it does.
look() {
  cat "/proc/$pid/task/"[0-9]*/stat 2>/dev/null | sed 's/.*) \(.\) .*/\1/'
  cat "/proc/$pid/task/"[0-9]*/schedstat 2>/dev/null
}
stands_still() {
  _before=$(look)
  ! printf '%s\n' "$_before" | grep -q '^[A-RT-Z]' || return 1
  sleep 0.5
  [ "$(look)" = "$_before" ]
}

# A shell has its background commands ignore SIGINT, as vmm then does.
begin() { # VMM-ARGUMENT...
  env --default-signal=INT,HUP "$vmm" "$@" >"${output:-/dev/null}" \
    2>>"$tmp/stderr" </dev/null &
  pid=$!
}

# stops SIGNAL NAME VMM-ARGUMENT...
stops() {
  _signal=$1
  _name=$2
  shift 2
  begin "$@"
  ends "$_signal" "$_name"
}

# ends SIGNAL NAME: what has begun
ends() {
  _signal=$1
  _name=$2
  wait_for 600 has_guard
  ok $? "$_name: signals are waited for"
  wait_for 600 stands_still
  ! has_ended "$pid"
  ok $? "$_name: it waits"
  kill -s "$_signal" "$pid"
  wait_for 600 has_ended "$pid"
  ok $? "$_name: SIG$_signal ends it"
  kill -KILL "$pid" 2>/dev/null
  status=0
  wait "$pid" 2>/dev/null || status=$?
  pid=
  is "$status" 137 "$_name: by the limit, since it could not end itself"
}

if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
  mkfifo "$tmp/kernel"
  for signal in TERM INT HUP; do
    stops $signal "run, at a FIFO ($signal)" run --kernel "$tmp/kernel" \
      --socket "$tmp/socket" --abits none
  done
  "$vmm" run --kernel "$tmp/kernel" --socket "$tmp/socket" --abits none \
    >/dev/null 2>>"$tmp/stderr" </dev/null &
  pid=$!
  wait_for 600 has_guard
  kill -s INT "$pid"
  sleep 3
  ! has_ended "$pid"
  ok $? 'run: a signal that it was started to ignore does not end it'
  ends TERM 'run, with SIGINT ignored'
  # One of them at least: a thread that gets no processor for 200 ms has no words.
  like "$(cat "$tmp/stderr")" 'did not stop in time: ending itself by SIGKILL' 'it says so'
else
  skip 'vmm run' '/dev/kvm may not be opened: join the group kvm or be root'
fi

if "${abs_top_builddir:-build}/config.status" --config |
    grep -q -e --without-libvirt; then
  skip 'vmm attach' 'configured --without-libvirt'
else
  socat "UNIX-LISTEN:$tmp/libvirt,fork" EXEC:'sleep 600' &
  listener=$!
  wait_for 600 test -S "$tmp/libvirt"
  uri="qemu+unix:///system?socket=$tmp/libvirt"
  stops TERM 'attach, at libvirt' attach --connect "$uri" somebody
  stops TERM 'attach --all, at libvirt' attach --connect "$uri" --all
  # Until it serves, or ends as somebody has the port.
  serves() { grep -q "serving http://127.0.0.1:$port/" "$tmp/stderr"; }
  serves_or_ended() { serves || has_ended "$pid"; }
  serve() {
    begin metrics --connect "$uri" --listen "127.0.0.1:$port"
    wait_for 300 serves_or_ended
    serves
  }
  at_free_port serve
  ok $? 'metrics, at libvirt: it serves'
  ends TERM 'metrics, at libvirt'
fi

# --- their output is not read -------------------------------------------------------
waits_in() { # FUNCTION
  grep -q "$1" "/proc/$pid/wchan" 2>/dev/null
}
mkfifo "$tmp/pipe"
exec 3<>"$tmp/pipe"
dd if=/dev/zero of="$tmp/pipe" oflag=nonblock bs=4096 2>/dev/null
output=$tmp/pipe begin balance --target 1G --period 0.1
wait_for 600 waits_in pipe_write
ok $? 'balance: nobody reads its output, so it waits'
ends TERM 'balance, at a full pipe'
exec 3>&-

mkfifo "$tmp/keys"
exec 3<>"$tmp/keys"
TERM=xterm script -qfec "exec $vmm top --delay 0.1" /dev/null <"$tmp/keys" \
  >"$tmp/screen" 2>&1 &
script=$!
find_top() { pid=$(pgrep -P "$script" -x vmm); }
wait_for 600 find_top
wait_for 600 has_guard
wait_for 600 grep -q RESIDENT "$tmp/screen"
printf '\023' >&3	# ^S
wait_for 600 waits_in wait_woken
ok $? 'top: its terminal takes no output, so it waits'
kill -s TERM "$pid"
wait_for 600 has_ended "$pid"
ok $? 'top: SIGTERM ends it'
kill -KILL "$pid" 2>/dev/null
printf '\021' >&3
exec 3>&-
status=0
wait "$script" || status=$?
pid=
is "$status" 137 'top: by the limit'
done_testing
