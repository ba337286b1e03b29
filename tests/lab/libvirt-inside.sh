# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: libvirt's system daemon, its KVM domains, and `vmm attach --all`.
. "${abs_top_srcdir:-.}/tests/functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
[ -n "${LAB-}" ] || skip_all "changes the host's libvirt: only in the lab"
cd "$tmp" || exit 1
uri=qemu:///system
: >all.log
daemon='' attached=''
lv() { virsh -q -c $uri "$@"; }
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  for d in $(lv list --name 2>/dev/null); do lv destroy "$d"; done >/dev/null
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
}
began=$(date +%s)
at() { echo "# at $(($(date +%s) - began)) s: $*"; }
ms_since() { echo $((($(date +%s%N) - $1) / 1000000)); }
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1
mkdir -p /run/vmm /dev/hugepages
mount -t hugetlbfs hugetlbfs /dev/hugepages
echo 66 >/proc/sys/vm/nr_hugepages

# --- a libvirt, without what a machine of this kind has not -------------------
cat >/etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
hugetlbfs_mount = "/dev/hugepages"
END
mkdir drivers
ln -s /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so drivers/
LIBVIRT_DRIVER_DIR=$tmp/drivers libvirtd >libvirtd.log 2>&1 &
daemon=$!
wait_for 150 lv list || {
  sed 's/^/# /' libvirtd.log
  fail_all "libvirt does not start: see above"
}
# Slots for memory above 4 GiB would have Linux take 64 MiB for bounce buffers.
# domain NAME MIB [CPU] [MORE]: its XML; devices from standard input
domain() {
  cat <<END
<domain type='kvm'>
  <name>$1</name>
  <memory unit='MiB'>$2</memory>
  $4
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$LIBVIRT_KERNEL</kernel>
    <initrd>$LAB_OUT/guest.cpio</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 swiotlb=noforce</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough' check='none'>$3</cpu>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'/>
    <memballoon model='none'/>
    <serial type='unix'>
      <source mode='bind' path='$tmp/$1.tty'/>
      <log file='$tmp/$1.console' append='off'/>
    </serial>
$(cat)
  </devices>
</domain>
END
}
said() { grep -c "^$2" "$1.console"; } # DOMAIN TEXT
has_said() { [ "$(said "$1" "$2")" -gt "${3:-0}" ]; }
say() { echo "$2" | socat -t 1 - "UNIX-CONNECT:$1.tty" >/dev/null; }
hung() { guest_hung "$1.console" all.log; }
started() { wait_for 300 has_said "$1" "G ready" || hung "$1"; }
lives() { [ "$(lv domstate "$1")" = running ] || hung "$1"; } # DOMAIN
prepare() { # DOMAIN POLICY
  "$vmm" libvirt -c $uri --yes --reclaim "$2" enable "$1" >enable.log 2>&1
}
stat_of() { value_of "/run/vmm/$1.sock" /stats "$2"; }
scanned() { # DOMAIN NR
  _nr=$(stat_of "$1" .engine.nr_scans)
  [ -n "$_nr" ] && [ "$_nr" -ge "$2" ]
}
resident_at_most() { # DOMAIN MIB
  _bytes=$(stat_of "$1" .memory.resident_bytes)
  [ -n "$_bytes" ] && [ "$_bytes" -le $(($2 << 20)) ]
}
memory_is() { [ "$(stat_of "$1" .memory.bytes)" = $(($2 << 20)) ]; }
with_agent() {
  [ "$(stat_of "$1" .agent.connected)" = true ] &&
    [ "$(stat_of "$1" .agent.epoch)" -gt 0 ]
}

cp "$LAB_OUT/disk" disk
domain one 176 "<numa><cell id='0' cpus='0' memory='176' unit='MiB'/></numa>" \
  "<maxMemory slots='4' unit='MiB'>1024</maxMemory>" <<END >one.xml
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$tmp/disk'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
END
domain two 176 </dev/null >two.xml
for d in one two; do
  lv define $d.xml >/dev/null && continue
  sed 's/^/# /' libvirtd.log
  fail_all "libvirt does not take a domain: see above"
done
prepare two off
ok $? "enabled before its start"
for d in one two; do
  lv start $d >/dev/null || {
    sed 's/^/# /' libvirtd.log
    ok 1 "libvirt starts a KVM domain"
    done_testing
    exit 1
  }
done
at "both are started"
started one
started two
at "both run"
prepare one target=112M,period=300ms,idle=2,cpu=80
ok $? "enabled while it runs"
sed -n 's/^running/# &/p' enable.log

# --- two policies -----------------------------------------------------------------
begin=$(date +%s%N)
"$vmm" --version >/dev/null
echo "# to start vmm takes $(ms_since "$begin") ms in here"
begin=$(date +%s%N)
"$vmm" libvirt -c $uri show one >/dev/null
echo "# with a connection to libvirt $(ms_since "$begin") ms"
follow_all() {
  : >all.log
  begin=$(date +%s%N)
  "$vmm" attach --verbose --connect $uri --all 2>>all.log &
  attached=$!
  wait_for 150 grep -q 'watching its domains' all.log
}
attach_all() {
  follow_all
  echo "# attach --all follows libvirt after $(ms_since "$begin") ms"
  wait_for 150 grep -q 'attached to' all.log
  echo "# a domain is attached to after $(ms_since "$begin") ms"
}
attach_all
wait_for 150 scanned one 1
ok $? "attach --all: one is served"
wait_for 150 scanned two 1
ok $? "attach --all: so is two"
at "scanned $(ms_since "$begin") ms after exec"
grep -E 'attached to|found in' all.log | sed 's/^/# /'
is "$(stat_of one .engine.source) $(stat_of two .engine.source)" \
  "kvm-young kvm-young" "by nested page tables"
before=$(stat_of two .memory.resident_bytes)
# It writes all the time, so the last pages above its target of 112 MiB are evicted
# slowly, or fault in again: that took 270 s.
wait_for 300 resident_at_most one 140
ok $? "the first drops towards its target"
# From now on scans are only counted: they cost the guests their processor time.
prepare one target=112M,period=2s,idle=2
is "$(stat_of two '[.engine.nr_evicted, .memory.swapped_bytes] | tostring')" \
  "[0,0]" "from the other nothing is taken"
now=$(stat_of two .memory.resident_bytes)
[ "$now" -ge "$before" ]
ok $? "and its memory does not go"
at "one: $(stat_of one '[.memory, .reclaimed] | tostring')"
echo "# two: $before bytes resident, then $now"

lives one

# --- agents -----------------------------------------------------------------------
for d in one two; do
  wait_for 150 with_agent $d
  ok $? "$d: the agent is there, by the channel that enable added"
done
names=$("$vmm" inspect --name one pids 2>&1)
like "$names" 'vmm-guest-agent' "one: its processes are seen"
pid=$(echo "$names" | awk '/vmm-guest-agent/ { print $1; exit }')
"$vmm" inspect --name one pid "$pid" >inspect 2>&1
ok $? "vmm inspect pid: one of its processes"
sed 's/^/# /;8q' inspect
[ "$(query /run/vmm/one.sock "/process/$pid" | jq '[.vmas[].nr_mapped] | add')" -gt 0 ]
ok $? "/process/$pid: with its pages"
at "one: $(stat_of one '[.agent, .reclaimed] | tostring')"

# --- memory is plugged in -----------------------------------------------------------
cat >dimm <<END
<memory model='dimm'>
  <target><size unit='MiB'>128</size><node>0</node></target>
</memory>
END
plug() { # NAME
  lv attach-device one dimm >/dev/null
  _status=$?
  sleep 1
  lives one
  ok $_status "$1"
}
plug "a DIMM is plugged into one"
wait_for 150 memory_is one 304
ok $? "which is found without a monitor of QEMU's"
wait_for 150 has_said one "G has 2[5-9][0-9] MiB"
ok $? "and is the guest's"
is "$(lv dominfo one | grep -ci monitor)" 0 \
  "of no monitor command by others libvirt knows"
plug "and another of the same size"
wait_for 150 memory_is one 432
ok $? "which is found as well"
wait_for 150 scanned one 2
at "one: $(stat_of one '[.memory, .engine.source, .engine.nr_scan_errors] | tostring')"
kill "$attached"
wait "$attached"
attach_all
wait_for 150 scanned one 1
ok $? "attach --all again: both are served"
at "scanned $(ms_since "$begin") ms after exec"
grep -E 'attached to|found in' all.log | tail -n 4 | sed 's/^/# /'
is "$(stat_of one .memory.bytes)" $((432 << 20)) \
  "kvm-young shows which of two mappings of one size is which DIMM"
wait_for 150 with_agent one
ok $? "its agent, whose port had another listener, is heard again"
at "one: $(stat_of one '.agent | tostring')"

# --- every byte, until here ---------------------------------------------------------
for d in one two; do
  say $d check
  wait_for 300 has_said $d "G checked" || hung $d
  is "$(tr -d '\r' <$d.console | grep -cE 'lost|FAILED')" 0 "$d has lost nothing"
done

at "both have checked"
# --- destroyed while it is scanned ----------------------------------------------------
"$vmm" libvirt -c $uri --yes --reclaim target=32M,period=50ms,idle=1,cpu=50 \
  enable two >/dev/null 2>&1
nr_scans=$(stat_of one .engine.nr_scans)
n=0 good=0
while [ $n -lt "$LIBVIRT_STARTS" ]; do
  n=$((n + 1))
  wait_for 150 scanned two 3 || break
  lv destroy two >/dev/null || break
  lv start two >/dev/null || break
  good=$((good + 1))
done
is "$good" "$LIBVIRT_STARTS" "two is destroyed while it is scanned, $good times"
at "the last start"
wait_for 150 scanned two 1
ok $? "and served again"
scanned one $((nr_scans + 1))
ok $? "one was served all the time"
kill -0 "$attached"
ok $? "attach --all lives"
lv destroy two >/dev/null

at "destroyed"
# --- memory that cannot go --------------------------------------------------------------
domain huge 128 '' '<memoryBacking><hugepages/></memoryBacking>' </dev/null >huge.xml
lv define huge.xml >/dev/null
prepare huge target=32M,period=1s
lv start huge >/dev/null
ok $? "a domain with hugetlb pages"
has_young() { [ "$(stat_of huge .engine.nr_young)" -gt 0 ]; }
wait_for 150 has_young
ok $? "is seen: $(stat_of huge '[.engine.source, .engine.nr_young] | tostring')"
like "$(cat all.log)" 'huge: .*nothing is reclaimed.*hugetlb' \
  "that it cannot be reclaimed is reported, and why"
is "$(stat_of huge '[.policy.enabled, .engine.nr_evicted] | tostring')" '[false,0]' \
  "nothing is"
lv destroy huge >/dev/null
domain locked 64 '' '<memoryBacking><locked/></memoryBacking>' </dev/null >locked.xml
lv define locked.xml >/dev/null
lv start locked --paused >/dev/null
ok $? "a domain with locked memory"
refused() { grep -q 'memory is locked in RAM.*<locked/>' all.log; }
wait_for 150 refused
ok $? "is refused, with the reason"
lv destroy locked >/dev/null

at "what cannot go"
# --- the end ------------------------------------------------------------------------------
say one end
wait_for 300 has_said one "G end" || hung one
is "$(tr -d '\r' <one.console | grep -cE 'lost|FAILED')" 0 \
  "every byte was as the guest had written it"
at "one has ended"
gone() { ! lv list --name | grep -q one; }
wait_for 150 gone
let_go() { # sets status
  [ -n "$attached" ] || follow_all
  kill "$attached"
  status=0
  wait "$attached" || status=$?
  attached=''
}
until_orderly let_go
is "$status" 0 "attach --all ends"
is "$(dmesg | grep -cE 'BUG|Oops|WARNING|general protection|use-after-free')" 0 \
  "the kernel has nothing to complain of"
dmesg | grep -E -A 12 'BUG|Oops|WARNING|general protection' | head -n 40 |
  sed 's/^/# /'
at "the end"
if [ "$nr_failed" != 0 ]; then
  sed 's/^/# /' all.log
  for d in one two; do
    tail -n 8 $d.console | tr -d '\r' | sed "s/^/# $d: /"
  done
fi
done_testing
