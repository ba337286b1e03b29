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

# stops SIGNAL NAME VMM-ARGUMENT...
stops() {
  _signal=$1
  _name=$2
  shift 2
  "$vmm" "$@" >/dev/null 2>>"$tmp/stderr" </dev/null &
  pid=$!
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

if "$vmm" attach --connect test:///default --all --name x 2>&1 |
    grep -q 'built without'; then
  skip 'vmm attach' 'this vmm was built without libvirt'
else
  socat "UNIX-LISTEN:$tmp/libvirt,fork" EXEC:'sleep 600' &
  listener=$!
  wait_for 20 test -S "$tmp/libvirt"
  uri="qemu+unix:///system?socket=$tmp/libvirt"
  stops TERM 'attach, at libvirt' attach --connect "$uri" somebody
  stops TERM 'attach --all, at libvirt' attach --connect "$uri" --all
  is_free() { ! socat -u /dev/null "TCP:127.0.0.1:$port" 2>/dev/null; }
  at_free_port is_free
  stops TERM 'metrics, at libvirt' metrics --connect "$uri" \
    --listen "127.0.0.1:$port"
fi
done_testing
