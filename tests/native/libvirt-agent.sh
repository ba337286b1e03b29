#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The channel that `vmm libvirt enable` plugs into a running domain carries the
# agent's stream: an emulated Linux guest in libvirt finds the port, its agent
# opens it by its name, and the host reads the start of the protocol.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
libvirt_require
require_kernel
require socat cpio busybox:busybox-static
agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent

# udev's part is done by hand: names of ports are links.
cat >"$tmp/script" <<'END'
mkdir -p /dev/virtio-ports
echo "G waiting"
while [ ! -e /dev/virtio-ports/org.vmm.agent.0 ]; do
  for name in /sys/class/virtio-ports/*/name; do
    port=${name%/name}
    ln -sf "/dev/${port##*/}" "/dev/virtio-ports/$(cat "$name")" 2>/dev/null
  done
  sleep 0.2
done
echo "G plugged"
vmm-guest-agent --interval 1000
END
"$srcdir/tests/lab/mkguest" --kernel "${kernel##*/vmlinuz-}" --gzip \
  --script "$tmp/script" --add "$agent" "$tmp/initrd" 2>"$tmp/why" || {
  sed 's/^/# /' "$tmp/why"
  fail_all "no initramfs for the guest: see above"
}
chmod 644 "$tmp/initrd"
libvirt_start
domain_xml linux pc <<END |
    <serial type='file'><source path='$tmp/lv/console'/></serial>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
END
  sed "s,<memory.*,<memory unit='MiB'>320</memory>,
    s,</type></os>,</type><kernel>$kernel</kernel><initrd>$tmp/initrd</initrd><cmdline>console=ttyS0 quiet</cmdline></os>," \
    >"$tmp/xml"
lv define "$tmp/xml" >/dev/null && lv start linux >/dev/null
rc=$?
ok $rc "a domain with Linux starts"
[ $rc = 0 ] || { done_testing; exit 1; }

said() { grep -q "^G $1" "$tmp/lv/console"; }
wait_for 300 said waiting
rc=$?
ok $rc "Linux in it runs, and has no port of ours"
[ $rc = 0 ] || sed 's/^/# console: /' "$tmp/lv/console"
"$vmm" libvirt -c "$uri" enable linux --yes --reclaim on >"$tmp/out" 2>&1
is "$? $(grep -c '^running: plug a channel' "$tmp/out")" "0 1" \
  "the channel is plugged"
wait_for 300 said plugged
ok $? "the guest sees it by its name"
path=$("$vmm" libvirt -c "$uri" show linux | sed -n 's/^socket *//p')
# HELLO: 24 bytes of payload, type 1, "VMMA", version 1, pages of 4096.
socat -u -T 120 "UNIX-CONNECT:$path" - 2>"$tmp/why" | head -c 20 >"$tmp/hello"
is "$(od -An -tx1 "$tmp/hello" | tr -d ' \n')" \
  "1800000001000000564d4d410100000000100000" "and its agent says hello"
[ -s "$tmp/hello" ] || {
  sed 's/^/# /' "$tmp/why"
  tail -n 20 "$tmp/lv/console" | sed 's/^/# console: /'
}
"$vmm" libvirt -c "$uri" disable linux --yes >"$tmp/out" 2>&1
ok $? "it is unplugged again"
alive() { [ "$(lv domstate linux)" = running ]; }
alive
ok $? "which the guest survives"
done_testing
