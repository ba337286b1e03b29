# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: a KVM guest of QEMU, which is attached to, reclaimed from, and let
# go by SIGKILL many times, while it writes and checks its memory.
. "${abs_top_srcdir:-.}/tests/functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
cd "$tmp" || exit 1
qemu='' attached=''
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null
}
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1
mkfifo input
exec 9<>input
echo always >/sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null
# shellcheck disable=SC2086 # options
qemu-system-x86_64 -accel kvm -cpu host -machine q35 -m 224,slots=2,maxmem=1G \
  $ATTACH_MEMORY -display none -nodefaults -no-reboot -name lab \
  -kernel "$ATTACH_KERNEL" -initrd "$LAB_OUT/guest.cpio" \
  -append "console=ttyS0 quiet panic=-1" \
  -qmp unix:qmp,server=on,wait=off -monitor unix:hmp,server=on,wait=off \
  -serial stdio <input >console 2>qemu.log &
qemu=$!
said() { grep -c "^$1" console; }
has_said() { [ "$(said "$1")" -gt "${2:-0}" ]; }
wait_for 300 has_said "G ready" || guest_hung console qemu.log
stat_of() { value_of "$tmp/s" /stats "$1"; }
attach() { # OPTION...
  "$vmm" attach --qmp qmp --socket "$tmp/s" --abits "$ATTACH_SOURCE" --ages ages \
    "$@" 2>log &
  attached=$!
}
policy=target=112M,period=300ms,idle=2,cpu=80
resident=$(awk '/^VmRSS/ { print $2 }' /proc/$qemu/status)
attach --reclaim $policy
scanned() { [ "$(stat_of .engine.nr_scans)" -ge "$1" ]; }
wait_for 100 scanned 1
ok $? "attached, and scans by $(stat_of .engine.source)"
sed 's/^/# /' log
at_target() { [ "$(stat_of .memory.resident_bytes)" -le $((120 << 20)) ]; }
wait_for 120 at_target
ok $? "resident memory drops to the target"
echo "# resident before: $resident KiB of QEMU; now guest" \
  "$(stat_of .memory.resident_bytes), evicted $(stat_of .engine.nr_evicted)," \
  "huge $(stat_of .engine.nr_huge_evicted), QEMU" \
  "$(awk '/^VmRSS/ { print $2 }' /proc/$qemu/status) KiB"
is "$(stat_of .engine.nr_scan_errors)" 0 "no scan failed"
had=$(said 'G checked')
echo check >&9
wait_for 150 has_said "G checked" "$had"
ok $? "the guest checks evicted pages, which come back"
is "$(tr -d '\r' <console | grep -cE 'lost|FAILED')" 0 "nothing is lost"

# --- the ages of a pause of ours are not lost ------------------------------------
# What is killed writes none; then another one whose scans make pages old.
let_go() { # sets status
  [ -n "$attached" ] || {
    attach --reclaim $policy
    wait_for 100 scanned 20
  }
  kill "$attached"
  status=0
  wait "$attached" || status=$?
  attached=''
}
until_orderly let_go
[ "$(head -n 1 ages | cut -d' ' -f1)" = vmm-ages ]
ok $? "ages are kept in the file"
attach
wait_for 100 scanned 1
old() { [ "$(stat_of "[.engine.pages_by_idle_scans[4:][]?, 0] | add")" -gt 0 ]; }
wait_for 100 old
ok $? "and adopted"
kill "$attached"
wait "$attached"
attached=''

# --- killed at random, under the guest's writes ------------------------------------
n=0
while [ $n -lt "$ATTACH_KILLS" ] && kill -0 "$qemu" 2>/dev/null; do
  n=$((n + 1))
  attach --reclaim target=48M,period=50ms,idle=1,cpu=100
  # 0 to 0.6 s, at random.
  sleep "0.$(awk -v s=$n 'BEGIN { srand(s); print int(rand() * 6) }')"
  kill -9 "$attached"
  wait "$attached" 2>/dev/null
  attached=''
done
is "$n" "$ATTACH_KILLS" "killed $n times at random: QEMU runs on"
had=$(said 'G checked')
echo check >&9
wait_for 150 has_said "G checked" "$had"
ok $? "the guest runs on"
begin=$(date +%s%N)
attach --reclaim $policy
told() { grep -q 'attached to' log; }
wait_for 100 told
echo "# attached again $((($(date +%s%N) - begin) / 1000000)) ms after exec;" \
  "$(cat log)"
wait_for 100 scanned 1
ok $? "and is served again"

# --- it is saved: reclaim pauses ----------------------------------------------------
is_paused() { grep -q 'reclaim is paused' log; }
is_resumed() { grep -q 'reclaim resumes' log; }
# At least 100 MiB are sent, in half an hour: it is cancelled long before.
hmp() { "$abs_top_builddir/tests/hmp" hmp "$@" >/dev/null; }
hmp 'migrate_set_parameter max-bandwidth 64K' 'migrate -d "exec:cat >/dev/null"'
wait_for 120 is_paused
ok $? "it migrates: nothing is reclaimed meanwhile"
hmp migrate_cancel
wait_for 300 is_resumed
ok $? "it stays: reclaim continues"

echo end >&9
gone() { ! kill -0 "$qemu" 2>/dev/null; }
wait_for 200 gone
ok $? "the guest ends"
qemu=''
status=0
wait "$attached" || status=$?
[ "$status" = 0 ] || sed "s/^/# /" log
attached=''
is "$status" 0 "and so does attach"
is "$(tr -d '\r' <console | grep -cE 'lost|FAILED')" 0 \
  "every byte was as the guest had written it"
like "$(tr -d '\r' <console | tail -n 5)" 'guest: exit 0|G end' "to the end"
tr -d '\r' <console | grep -E '^G|lost|FAILED' | tail -n 4 | sed 's/^/# /'
done_testing
