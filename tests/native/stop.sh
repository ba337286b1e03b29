#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `vmm run`, `vmm attach` and `vmm metrics --listen` end by a signal even where they
# wait for something that never comes: a kernel that is a FIFO nobody writes to, and a
# libvirt that takes connections and never answers.
. "${abs_top_srcdir:-.}/tests/functions.sh"
require socat
pid=
listener=
on_exit() {
  [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
  [ -z "$listener" ] || kill "$listener" 2>/dev/null
}

has_ended() {
  _state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)
  [ -z "$_state" ] || [ "$_state" = Z ]
}
has_guard() {
  grep -qx vmm-stop "/proc/$pid/task/"*/comm 2>/dev/null
}

begin() { # VMM-ARGUMENT...
  "$vmm" "$@" >/dev/null 2>>"$tmp/stderr" </dev/null &
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
  wait_for 60 has_guard
  ok $? "$_name: signals are waited for"
  sleep 0.5
  ! has_ended
  ok $? "$_name: it waits"
  kill -s "$_signal" "$pid"
  wait_for 60 has_ended
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
  # One of them at least: a thread that gets no processor for 200 ms has no words.
  like "$(cat "$tmp/stderr")" 'not stopped in time: ends by SIGKILL' 'it says so'
else
  skip 'vmm run' '/dev/kvm may not be opened: join the group kvm or be root'
fi

if "${abs_top_builddir:-build}/config.status" --config |
    grep -q -e --without-libvirt; then
  skip 'vmm attach' 'configured --without-libvirt'
else
  socat "UNIX-LISTEN:$tmp/libvirt,fork" EXEC:'sleep 600' &
  listener=$!
  wait_for 20 test -S "$tmp/libvirt"
  uri="qemu+unix:///system?socket=$tmp/libvirt"
  stops TERM 'attach, at libvirt' attach --connect "$uri" somebody
  stops TERM 'attach --all, at libvirt' attach --connect "$uri" --all
  # Until it serves, or ends as somebody has the port.
  serves() { grep -q "serving http://127.0.0.1:$port/" "$tmp/stderr"; }
  serves_or_ended() { serves || has_ended; }
  serve() {
    begin metrics --connect "$uri" --listen "127.0.0.1:$port"
    wait_for 300 serves_or_ended
    serves
  }
  at_free_port serve
  ok $? 'metrics, at libvirt: it serves'
  ends TERM 'metrics, at libvirt'
fi
done_testing
