#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory that libvirt plugs into a running domain is served without QEMU's
# monitor, including two DIMMs of one size, and until it is unplugged.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
libvirt_require
require curl jq
require_root "the memory of others is root's to look at"
libvirt_start
attached=''
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  libvirt_cleanup
}
name=plug-$$
domain_xml $name q35 </dev/null |
  sed "s,<memory.*,<maxMemory slots='4' unit='MiB'>1024</maxMemory>&,
    s,<vcpu>,<features><acpi/></features><cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>&," \
    >"$tmp/xml"
lv define "$tmp/xml" >/dev/null && lv start $name >/dev/null || {
  sed 's/^/# /' "$tmp/libvirtd.log"
  fail_all "libvirt does not start a domain with slots: see above"
}
for n in 1 2; do
  cat >"$tmp/dimm$n" <<END
<memory model='dimm'>
  <target><size unit='MiB'>64</size><node>0</node></target>
  <alias name='ua-d$n'/>
</memory>
END
done
memory() {
  curl -sS --max-time 120 --unix-socket "$tmp/s" http://vmm/vms 2>/dev/null |
    jq '.[0].memory_bytes / 1048576' 2>/dev/null
}
memory_is() { [ "$(memory)" = "$1" ]; }
"$vmm" attach --connect "$uri" $name --abits none --socket "$tmp/s" \
  2>"$tmp/log" &
attached=$!
wait_for 300 memory_is 64
ok $? "attached: 64 MiB"
lv attach-device $name "$tmp/dimm1" >/dev/null
ok $? "as much is plugged in"
wait_for 300 memory_is 128
ok $? "which is found"
lv attach-device $name "$tmp/dimm2" >/dev/null
wait_for 300 memory_is 192
ok $? "and again as much"
is "$(lv dominfo $name | grep -ci taint)" 0 "libvirt reports no change"

# Who comes later sees three mappings of one size.
kill "$attached"
status=0
wait "$attached" || status=$?
attached=''
is_stopped "$status" 0 "let go"
status=0
timeout 300 "$vmm" attach --connect "$uri" $name --abits none \
  --socket "$tmp/s" 2>"$tmp/log" || status=$?
is "$status" 1 "attached to again: three of one size are ambiguous"
like "$(cat "$tmp/log")" 'more than one mapping of 64 MiB.*--qmp' "and logged"
[ "$nr_failed" = 0 ] || sed 's/^/# /' "$tmp/log"
done_testing
