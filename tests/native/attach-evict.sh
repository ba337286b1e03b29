#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Pages evicted from a running QEMU guest are read back unchanged, even if the
# evicting process is killed at any point: a Linux guest, emulated, writes, and
# checks all its data, while random parts of its memory are swapped out and the
# evicting process is killed 200 times. For private memory and for shared.
. "${abs_top_srcdir:-.}/tests/functions.sh"
require qemu-system-x86_64:qemu-system-x86 cpio busybox:busybox-static
require_root "the memory of others is root's to take"
require_kernel
require_swap 200
evict=${abs_top_builddir:-build}/tests/native/attach-evict
kills=${VMM_TEST_KILLS:-200}

qemu='' taker=''
on_exit() {
  [ -z "$taker" ] || kill -9 "$taker" 2>/dev/null
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null
}
"$srcdir/tests/lab/mkguest" --kernel none \
  --script "$srcdir/tests/native/attach-guest" "$tmp/guest.cpio" || exit 1
mkfifo "$tmp/input"
exec 9<>"$tmp/input"
said() { tr -d '\r' <"$tmp/console" | grep -c "^$1"; }
has_said() { [ "$(said "$1")" -gt "$2" ]; }
lost() { tr -d '\r' <"$tmp/console" | grep -cE 'lost|FAILED'; }
give_up() {
  tr -d '\r' <"$tmp/console" | tail -n 20 | sed 's/^/# /'
  done_testing
  exit 1
}

try() { # NAME QEMU-OPTION...
  _name=$1
  shift
  # The one before has said "ready" in it, and QEMU opens it some time later.
  : >"$tmp/console"
  qemu-system-x86_64 -accel tcg -display none -nodefaults -no-reboot -m 128 \
    "$@" -kernel "$kernel" -initrd "$tmp/guest.cpio" -serial stdio \
    -append "console=ttyS0 quiet panic=-1" \
    <"$tmp/input" >"$tmp/console" 2>"$tmp/qemu.log" &
  qemu=$!
  wait_for 300 has_said 'G ready' 0 || { ok 1 "$_name: the guest runs"; give_up; }
  ok 0 "$_name: the guest runs"
  "$evict" "$qemu" 1001 >"$tmp/out" 2>&1
  ok $? "$_name: its memory is evicted"
  sed 's/^/# /' "$tmp/out"
  [ "$(awk '{ print $3 }' "$tmp/out")" -gt 1000 ]
  ok $? "$_name: pages went"
  n=0
  while [ $n -lt "$kills" ]; do
    n=$((n + 1))
    "$evict" "$qemu" 2>"$tmp/err" &
    taker=$!
    sleep "0.0$((n * 7 % 10))"
    kill -9 "$taker" 2>/dev/null
    wait "$taker" 2>/dev/null
    taker=''
    kill -0 "$qemu" 2>/dev/null || break
  done
  is "$n" "$kills" "$_name: killed $kills times in the middle: QEMU runs on"
  echo end >&9
  wait_for 300 has_said 'G end' 0 || { ok 1 "$_name: to the end"; give_up; }
  ok 0 "$_name: the guest checks all and ends"
  is "$(lost)" 0 "$_name: every byte is as it was written"
  tr -d '\r' <"$tmp/console" | grep '^G' | sed 's/^/# /'
  wait "$qemu"
  qemu=''
}
try private -machine q35
try shared -object memory-backend-memfd,id=r,size=128M,share=on \
  -machine pc,memory-backend=r
done_testing
