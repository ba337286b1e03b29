#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that flood the devices or make excessive requests: statistics are still
# answered, and a signal ends the VM. Times are printed but not tested: on a
# busy machine they mean little; the limits on an idle one are 200 ms for an answer
# and two seconds for an end. The test requires that nothing hangs, and that the VM
# stops regularly, if not at the first try; tests/unit/device-turn-limits.c counts
# how much a device does in a row.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require socat ip:iproute2
# Of a guest: requests for all of it are as large, and lists of its pages as long.
mem=${VMM_TEST_HOSTILE_MEM:-96M} # 3200M shows more
samples=10
worst_answer=0
worst_end=0
fifo_reader=
listener=
tap=

on_exit() {
  payload_cleanup
  [ -z "$fifo_reader" ] || exec 4<&-
  [ -z "$listener" ] || kill "$listener" 2>/dev/null
  [ -z "$tap" ] || ip link delete "$tap" 2>/dev/null
}

runs() { [ "$(stat_of .vm.nr_exits)" -gt 0 ]; }

# How long GET /stats takes, the worst of some, in milliseconds; empty when one
# fails.
slowest() {
  _i=0
  _worst=0
  while [ $_i -lt $samples ]; do
    _i=$((_i + 1))
    _ms=$(curl -sf -o /dev/null --max-time 120 --unix-socket "$socket" \
      -w '%{time_total}' http://vmm/stats | awk '{ printf "%.0f", $1 * 1000 }')
    [ -n "$_ms" ] && [ "$_ms" -lt 120000 ] || return 1
    [ "$_ms" -le "$_worst" ] || _worst=$_ms
    sleep 0.05
  done
  echo "$_worst"
}

# answers NAME TEST-NAME
answers() {
  _worst=$(slowest)
  ok $? "$2"
  echo "# $1: the slowest of $samples answers took ${_worst:-?} ms"
  [ "${_worst:-0}" -le "$worst_answer" ] || worst_answer=$_worst
}

# ends NAME: within the limit of a stop, and then some for a busy machine.
ends() {
  _begin=$(date +%s%N)
  kill -TERM "$vmm_pid"
  wait_for 120 has_ended "$vmm_pid"
  ok $? "$1: SIGTERM ends it"
  _ms=$((($(date +%s%N) - _begin) / 1000000)) # to the pause of wait_for
  echo "# $1: ended after $_ms ms"
  [ "$_ms" -le "$worst_end" ] || worst_end=$_ms
  kill -KILL "$vmm_pid" 2>/dev/null
  status=0
  wait "$vmm_pid" || status=$?
  vmm_pid=
  # Killed by the limit it must do no harm.
  is_stopped "$status" 6 "$1: by itself, or by the limit"
  rm -f "$socket"
}

# hostile NAME [VMM-OPTION...]
hostile() {
  until_orderly attack "$@"
  is "$status" 6 "$1: in good order, at one of three tries"
}
attack() {
  _name=$1
  shift
  payload_start "pattern=idle check=0 seconds=600 hostile=$_name" --mem "$mem" \
    --name "hostile-$_name" --socket "$socket" --abits none "$@"
  wait_event 600 run
  ok $? "$_name: the guest runs"
  answers "$_name" "$_name: the statistics answer"
  [ -z "$check" ] || $check
  ends "$_name"
  ! has_event fault && ! has_event error
  ok $? "$_name: the guest had no fault of its own" || cat "$log"
}
check=

# The flood is one: over and over, so more than there is.
discards() { [ "$(stat_of .memory.discarded_bytes)" -gt $((128 << 20)) ]; }
check_discards() {
  wait_for 300 discards
  ok $? 'memory is discarded over and over'
}
check=check_discards
hostile inflate
hostile report
check_refused() {
  wait_event 120 refused
  ok $? "more free pages than there are: the device refuses the driver"
}
check=check_refused
hostile report-again
check=
truncate -s 1T "$tmp/disk"
hostile disk-read --disk "$tmp/disk"
hostile disk-write --disk "$tmp/disk"
is "$(du -m "$tmp/disk" | cut -f 1)" 0 'nothing is written of what is refused'
check_disk() {
  wait_for 300 disk_has 32
  ok $? 'what is not too large is written'
}
disk_has() { [ "$(du -m "$tmp/disk" | cut -f 1)" -ge "$1" ]; }
check=check_disk
hostile disk-busy --disk "$tmp/disk"
check=
! disk_has 80
ok $? 'no request wrote more than 64 MiB'
rm -f "$tmp/disk"
hostile random
hostile notify
socat "UNIX-LISTEN:$tmp/vsock_1024,fork,max-children=1,backlog=2000" \
  EXEC:'sleep 600' 2>/dev/null &
listener=$!
wait_for 120 test -S "$tmp/vsock_1024"
check_connect() {
  wait_event 120 connected
  ok $? '1,020 connections were asked for'
  _fds=$(find "/proc/$vmm_pid/fd" -mindepth 1 2>/dev/null | wc -l)
  _limit=$(awk '/^Max open files/ { print $4 }' "/proc/$vmm_pid/limits")
  between 0 "$_fds" $((_limit - 128)) 'descriptors are left'
  answers 'connect, when all are' 'and the statistics still answer'
}
check=check_connect
hostile connect --vsock "$tmp/vsock"
like "$(cat "$tmp/stderr")" 'connections, the limit is' 'the refusal is logged'
[ "$(grep -c 'connections, the limit is' "$tmp/stderr")" -le 20 ]
ok $? 'and not once for each'
check=
hostile empty --vsock "$tmp/vsock"
kill $listener
wait $listener 2>/dev/null
listener=

if [ "$(id -u)" = 0 ]; then
  ip tuntap add dev "vmh$$" mode tap 2>"$tmp/why" && tap=vmh$$
  ok $? "a tap is made: it takes modprobe tun, and CAP_NET_ADMIN"
  sed 's/^/# /' "$tmp/why"
  ip link set "vmh$$" up
  hostile frames --net "tap=vmh$$"
  hostile frame --net "tap=vmh$$"
else
  skip 'floods of packets' 'no tap may be made here; run as root'
fi

# Nobody reads its standard output: a pipe that is full, and stays so.
mkfifo "$tmp/unread"
exec 4<>"$tmp/unread"
fifo_reader=1
dd if=/dev/zero of="$tmp/unread" bs=4096 count=64 oflag=nonblock 2>/dev/null
"$vmm" run --kernel "$payload" --mem "$mem" --abits none --socket "$socket" \
  --cmdline 'pattern=idle check=0 seconds=600 hostile=print' \
  --name hostile-print </dev/null >"$tmp/unread" 2>"$tmp/stderr" &
vmm_pid=$!
# A letter an exit: some thousand a second, fewer on a busy machine.
wait_for 600 grep -q 'console output is dropped' "$tmp/stderr"
ok $? 'print: what nobody reads is dropped, and that is said'
answers print 'print: the statistics answer'
# It gives the reader half of the time, so the limit is near at each try.
ends print
like "$(cat "$tmp/stderr")" '[0-9]+ bytes of console output were lost|ending itself by SIGKILL' \
  'print: how much was lost is told at the end'
echo "# of all guests: the slowest answer took $worst_answer ms, the slowest end $worst_end ms"
done_testing
