#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The values of `virsh dommemstat` and of `vmm stat` for a domain are
# consistent, as docs/libvirt.md describes: a Linux guest, emulated, with a
# balloon. VMM_TEST_SHOW=1 prints all of both.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
libvirt_require
require jq cpio busybox:busybox-static
require_root "the memory of others is root's to look at"
require_kernel
require_swap 300
libvirt_start
attached=''
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  libvirt_cleanup
}
"$srcdir/tests/lab/mkguest" --script "$srcdir/tests/lab/attach-guest.sh" \
  "$tmp/lv/guest.cpio" || exit 1
cp "$kernel" "$tmp/lv/kernel"
chmod 644 "$tmp/lv/kernel" "$tmp/lv/guest.cpio"
d=stat-$$
cat >"$tmp/$d.xml" <<END
<domain type='qemu'>
  <name>$d</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$tmp/lv/kernel</kernel><initrd>$tmp/lv/guest.cpio</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
  <features><acpi/></features>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <serial type='file'><source path='$tmp/lv/console'/></serial>
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
</domain>
END
: >"$tmp/lv/console"
chown 65534 "$tmp/lv/console"
{ lv define "$tmp/$d.xml" && lv start $d; } >"$tmp/lv.log" 2>&1 || {
  sed 's/^/# /' "$tmp/lv.log"
  fail_all "libvirt does not start a domain: see above"
}
ready() { grep -q '^G ready' "$tmp/lv/console"; }
wait_for 300 ready || {
  ok 1 "the guest runs"
  tail -n 5 "$tmp/lv/console" | sed 's/^/# /'
  done_testing
  exit 1
}
theirs() { lv dommemstat $d | awk -v n="$1" '$1 == n { print $2 }'; }
ours() { "$vmm" stat --socket "$tmp/s" --json | jq "$1"; }
show() { # TITLE
  [ -n "${VMM_TEST_SHOW-}" ] || return 0
  echo "# --- $1"
  date +'# date %s'
  lv dommemstat $d | sed 's/^/# /'
  "$vmm" stat --socket "$tmp/s" --json |
    jq -c '.memory, .balloon, (.engine | {nr_evicted, nr_refaults})' |
    sed 's/^/# /'
  grep -E '^Vm(RSS|Swap)' "/proc/$(ours .pid)/status" | sed 's/^/# /'
}
has_usable() { [ -n "$(theirs usable)" ]; }
wait_for 300 has_usable
ok $? "the balloon driver reports the guest to libvirt"
"$vmm" attach --connect "$uri" $d --abits age-only --socket "$tmp/s" \
  --reclaim off,period=300ms 2>"$tmp/log" &
attached=$!
scanned() { [ "$(ours .engine.nr_scans 2>/dev/null)" -ge "$1" ]; }
wait_for 300 scanned 2
ok $? "attached"
show "before"
kib() { # of ours
  echo $(($(ours "$1") / 1024))
}
is "$(theirs actual)" "$(kib .memory.bytes)" "actual is memory.bytes"
rss=$(theirs rss) resident=$(kib .memory.resident_bytes)
[ "$rss" -gt "$resident" ]
ok $? "rss ($rss) is resident_bytes ($resident) and QEMU's own"
"$vmm" policy --socket "$tmp/s" target=96M,idle=2,cpu=80 >/dev/null
at_target() { [ "$(kib .memory.resident_bytes)" -le $((104 << 10)) ]; }
wait_for 300 at_target
ok $? "memory drops to a target"
# Two samples, while pages may still be evicted.
fall_alike() {
  gone=$((resident - $(kib .memory.resident_bytes)))
  fell=$((rss - $(theirs rss)))
  [ "$gone" -gt 0 ] && [ $((fell * 10)) -gt $((gone * 8)) ] &&
    [ $((fell * 8)) -lt $((gone * 10)) ]
}
wait_for 300 fall_alike
ok $? "rss falls as resident_bytes does"
show "after"
echo "# resident fell by $gone KiB, rss by $fell KiB"
is "$(theirs actual)" "$(kib .memory.bytes)" "actual does not"
is "$(theirs swap_in) $(theirs swap_out)" "0 0" \
  "swap_in and swap_out, the guest's own, know nothing of it"
[ "$(kib .memory.swapped_bytes)" -gt 1000 ]
ok $? "swapped_bytes does"
kill "$attached"
wait "$attached"
attached=''
done_testing
