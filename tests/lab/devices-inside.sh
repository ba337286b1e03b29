# SPDX-License-Identifier: GPL-2.0-or-later
# In level 1: runs the guest, plays the host's part and prints TAP.
. "${abs_top_srcdir:-.}/tests/functions.sh"
dir=$tmp
out=$LAB_OUT
cd "$dir" || exit 1
cp "$out/blob" disk.img
truncate -s 96M disk.img
cp "$out/blob" ro.img
mkfifo commands
# Connections of the guest, and TCP through the tap.
socat -u UNIX-LISTEN:"$dir/v_1024" OPEN:vsock-up,creat &
ip tuntap add dev vmtap0 mode tap && ip addr add 192.0.2.1/24 dev vmtap0 &&
  ip link set vmtap0 up
ok $? 'net: a tap'
socat -U TCP-LISTEN:9000,reuseaddr OPEN:"$out/blob" &
socat -u TCP-LISTEN:9001,reuseaddr OPEN:tcp-up,creat &

exec 9<>commands
kernel=$LAB_GUEST_KERNEL
"$abs_top_builddir/tests/lab/device-vm" "$kernel" "$out/guest.cpio" \
  'console=ttyS0 quiet panic=-1' disk.img ro.img vmtap0 "$dir/v" \
  <commands >console 2>messages &
vm=$!
on_exit() {
  kill "$vm" 2>/dev/null
  cp console messages "$out/" 2>/dev/null
}

said() { grep -q "^S $1" console || ! kill -0 "$vm" 2>/dev/null; }
rss_kb() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$vm/status"; }
# Field N of the latest statistics.
stat_field() {
  echo stats >&9
  sleep 0.2
  awk -v n="$1" '/^stats/ { v = $(n + 1) } END { print v + 0 }' messages
}
# CONNECT is refused until the guest listens.  Both sides close when they are done:
# the limit ends a hang.
connect() { # PORT FILE
  { printf 'CONNECT %s\n' "$1"; cat "$2"; } |
    timeout 300 socat -t 300 - "UNIX-CONNECT:$dir/v" 2>/dev/null >answer
  grep -q '^OK [0-9]*' answer
}
rss_below() { [ "$(rss_kb)" -lt "$1" ]; }
stat_is() { [ "$(stat_field "$1")" "$2" "$3" ]; }
: >nothing
echo hello >hello
go_on() { wait_for 60 connect "$1" nothing; }

wait_for 120 grep -q 'R . vsock: a port nobody' console ||
  guest_hung console messages
wait_for 60 connect 52 "$out/blob"
ok $? 'vsock: a host program connects'
wait_for 60 connect 53 hello
is "$(sed -n 2p answer)" world 'vsock: and gets the guest'"'"'s answer'

wait_for 60 said filled
full=$(rss_kb)
go_on 60
wait_for 60 said freed
wait_for 60 rss_below $((full - 80000))
ok $? 'reporting: freed pages leave the host'
reported=$(stat_field 3)
echo "# RSS $full kB full, $(rss_kb) kB freed, $reported pages reported"
[ "$reported" -ge 20000 ]
ok $? 'reporting: pages are counted'
go_on 61

wait_for 60 said cached
full=$(rss_kb)
echo balloon $((240 << 20)) >&9
wait_for 60 stat_is 2 -ge $((230 << 20))
ok $? 'balloon: the guest gives 230 of 240 MiB'
wait_for 30 rss_below $((full - 30000))
ok $? 'balloon: the host has them'
echo "# RSS $full kB before, $(rss_kb) kB with the balloon"
go_on 62
wait_for 60 said inflated
echo balloon 0 >&9
wait_for 60 stat_is 2 -eq 0
ok $? 'balloon: deflated when requested'
go_on 63

wait_for 60 grep -q '^end' messages
is "$(sed -n 's/^end //p' messages)" 0 'the guest powered off'
# What the guest found; all of it must be there.
tr -d '\r' <console >lines
grep '^# ' lines
grep '^R ' lines | while read -r _ status name; do
  echo "$status $name"
done >results
while read -r status name; do ok "$status" "$name"; done <results
is "$(grep -c . results)" 15 'every check of the guest ran'
dd if=disk.img bs=64k skip=64 count=32 2>/dev/null | cmp - "$out/blob"
ok $? 'blk: the image has what the guest wrote'
cmp ro.img "$out/blob"
ok $? 'blk: the read-only image is unchanged'
cmp vsock-up "$out/blob"
ok $? 'vsock: 2 MiB from the guest arrived'
cmp tcp-up "$out/blob"
ok $? 'net: 2 MiB by TCP from the guest arrived'
[ "$nr_failed" = 0 ] || {
  tail -n 30 lines | sed 's/^/# console: /'
  sed 's/^/# messages: /' messages | grep -v stats
}
done_testing
