#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A libvirt domain is saved and restored, with vmm attach before and after:
# reclaim pauses, the ages are written at the save, and known after the restore.
# The guest is emulated, with nothing but firmware; ages are the time since a
# page became resident.
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
d=save-$$
domain_xml $d q35 </dev/null >"$tmp/$d.xml"
lv define "$tmp/$d.xml" >/dev/null || fail_all "libvirt does not take a domain"
lv start $d >/dev/null || {
  sed 's/^/# /' "$tmp/libvirtd.log"
  fail_all "libvirt does not start a domain: see above"
}
api() { curl -sS --max-time 120 --unix-socket "$tmp/s" "http://vmm$1" 2>/dev/null; }
stat_of() { api /stats | jq -r "$1" 2>/dev/null; }
scanned() { [ "$(stat_of .engine.nr_scans)" -ge "$1" ]; }
# Those that were old when attach began: their age is more than the number of its
# scans by then.  An answer has both; a busy machine may have made many scans.
old_pages() {
  # shellcheck disable=SC2016 # jq's variable
  stat_of '.engine | .nr_scans as $n |
    [.pages_by_idle_scans[$n + 8:][]?, 0] | add'
}
attach() { # PERIOD
  "$vmm" attach --connect "$uri" $d --abits age-only --socket "$tmp/s" \
    --ages "${ages:-$tmp/ages}" --reclaim "target=1G,period=$1" \
    2>"$tmp/log" &
  attached=$!
}
detach() { # sets status
  kill "$attached"
  status=0
  wait "$attached" || status=$?
  attached=''
}
attach 200ms
wait_for 300 scanned 15
ok $? "attached, and scans"
# Firmware that gets little of a processor goes on using its pages for long.
mostly_old() {
  stat_of '[.engine.pages_by_idle_scans[8:][]?, 0] | add' >"$tmp/nr-old"
  _resident=$(stat_of '.memory.resident_bytes / 4096 | floor')
  [ -n "$_resident" ] && [ $(($(cat "$tmp/nr-old") * 4)) -gt $((_resident * 3)) ]
}
wait_for 300 mostly_old
ok $? "most pages are old: $(cat "$tmp/nr-old")"
[ ! -e "$tmp/ages" ]
ok $? "there is no file with ages yet"
timeout 300 virsh -q -c "$uri" managedsave $d >"$tmp/lv.log" 2>&1
ok $? "libvirt saves the domain"
sed 's/^/# /' "$tmp/lv.log"
status=0
wait "$attached" || status=$?
attached=''
is "$status" 0 "attach ends with it"
sed 's/^/# /' "$tmp/log"
is "$(head -n 1 "$tmp/ages" | cut -d' ' -f1)" vmm-ages "its ages are written"
sum=$(cksum <"$tmp/ages")
refused() {
  timeout 300 "$vmm" attach --connect "$uri" $d --abits age-only --socket "$tmp/s" \
    >"$tmp/log" 2>&1
}
refused
is $? 1 "a domain that is saved can't be attached to"
like "$(cat "$tmp/log")" "is not running" "and why is logged"
is "$(cksum <"$tmp/ages")" "$sum" "the ages stay"
timeout 300 virsh -q -c "$uri" start $d >"$tmp/lv.log" 2>&1
ok $? "it is restored"
attach 2s
wait_for 300 scanned 2
ok $? "and attached to"
sed 's/^/# /' "$tmp/log"
old=$(old_pages)
resident=$(stat_of '.memory.resident_bytes / 4096')
echo "# $old of $resident resident pages are known to be old"
[ "${old:-0}" -gt 0 ] && [ $((old * 2)) -gt "$resident" ]
ok $? "what was idle before is known to be"
detach
is_stopped "$status" 0 "let go"
rm "$tmp/ages"
attach 2s
wait_for 300 scanned 2
is "$(old_pages)" 0 "without the file nothing would be"
detach

# --- a directory, as the service has it ----------------------------------------
ages=$tmp/all
mkdir "$ages"
# What is killed writes no ages.
grow_old() {
  attach 200ms
  wait_for 300 scanned 15
  detach
}
until_orderly grow_old
is "$status" 0 "detached in good order"
is "$(ls "$ages")" $d.ages "in a directory the domain has a file"
attach 2s
wait_for 300 scanned 2
[ "$(old_pages)" -gt 0 ]
ok $? "and is known again by it"
detach
is "$(lv domstate $d)" running "the domain runs on"
lv destroy $d >/dev/null
sleep 1.1			# times of files and processes are in seconds
lv start $d >/dev/null
attach 2s
wait_for 300 scanned 2
is "$(old_pages)" 0 "a domain that has booted since gets no old ages"
detach
timeout 300 "$vmm" attach --connect "$uri" --all --ages "$tmp/log" 2>"$tmp/why"
is "$? $(grep -c 'must be an existing directory' "$tmp/why")" "2 1" \
  "all domains can't have one file"
done_testing
