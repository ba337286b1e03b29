#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm attach finds the memory of QEMU guests: by monitor and by process, of each
# kind, below and above 4 GiB, including memory plugged in later; refuses memory
# that can't be reclaimed; and QEMU keeps running whatever happens to vmm
# attach. QEMU emulates here: no KVM is needed. tests/lab/attach.sh checks what
# is reclaimed.
. "${abs_top_srcdir:-.}/tests/functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
require qemu-system-x86_64:qemu-system-x86 socat curl jq
require_root "the memory of others is root's to look at"

qemu='' attached=''
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null
  wait
}
start_qemu() { # OPTION...
  rm -f "$tmp/qmp" "$tmp/hmp"
  qemu-system-x86_64 -accel tcg -display none -nodefaults \
    -qmp "unix:$tmp/qmp,server=on,wait=off" \
    -monitor "unix:$tmp/hmp,server=on,wait=off" "$@" 2>"$tmp/qemu.log" &
  qemu=$!
  # After the firmware's first steps; and all memory is there.
  wait_for 300 test -S "$tmp/hmp" && alive && sleep 1
}
# hmp COMMANDS PATTERN: until the monitor has said it.
hmp() {
  : >"$tmp/hmp.log"
  { printf '%s\n' "$1"; wait_for 300 grep -q "$2" "$tmp/hmp.log"; } |
    socat - "UNIX:$tmp/hmp" >"$tmp/hmp.log"
  grep -q "$2" "$tmp/hmp.log"
}
alive() { hmp 'info status' 'VM status: running'; }
stop_qemu() {
  kill "$qemu"
  wait "$qemu" 2>/dev/null
  qemu=''
}
api() { curl -sS --max-time 120 --unix-socket "$tmp/s" "http://vmm$1"; }
resident() { api /stats 2>/dev/null | jq -r .memory.resident_bytes; }
answers() { api /vms; }
answers_or_ended() { answers || ! kill -0 "$attached"; }
# A QEMU that gets no processor for five seconds has not greeted in time.
attach() { # OPTION...
  for _try in 1 2 3 4 5; do
    "$vmm" attach --abits none --socket "$tmp/s" "$@" 2>"$tmp/log" &
    attached=$!
    wait_for 300 answers_or_ended
    ! kill -0 "$attached" 2>/dev/null && grep -q 'no greeting' "$tmp/log" || break
    wait "$attached"
  done
  answers >/dev/null 2>&1
}
detach() { # sets status
  kill "$attached"
  status=0
  wait "$attached" || status=$?
  attached=''
}
let_go() { # OPTION...: what is attached, or else anew
  [ -n "$attached" ] || attach "$@"
  detach
}
refused() { # PATTERN NAME OPTION...
  _pattern=$1 _name=$2
  shift 2
  _status=0
  timeout 300 "$vmm" attach --socket "$tmp/s" "$@" 2>"$tmp/log" || _status=$?
  is "$_status" 1 "$_name: refused"
  like "$(cat "$tmp/log")" "$_pattern" "$_name: prints why"
}
kinds() { # NAME BYTES OPTION...
  _name=$1 _bytes=$2
  shift 2
  start_qemu "$@" || { ok 1 "$_name: QEMU starts"; sed 's/^/# /' "$tmp/qemu.log"; }
  for _by in "--qmp $tmp/qmp" "--pid $qemu"; do
    # shellcheck disable=SC2086 # two words
    attach $_by
    ok $? "$_name: attached by ${_by%% *}"
    sed 's/^/# /' "$tmp/log"
    _ms=$(sed -n 's/.* in \([0-9]*\) ms:.*/\1/p' "$tmp/log")
    echo "# ${_ms:-no} ms"
    # What firmware closes for a moment is missing then: less than a MiB.
    _got=$(answers | jq '.[0].memory_bytes')
    [ "${_got:-0}" -gt $((_bytes - (1 << 20))) ] && [ "$_got" -le "$_bytes" ]
    ok $? "$_name: all of its memory is found ($_got)"
    is "$(answers | jq '.[0].pid')" "$qemu" "$_name: its process"
    _got=$(resident)
    [ "${_got:-0}" -gt $((_bytes - (1 << 20))) ]
    ok $? "$_name: and it is resident ($_got)"
    # shellcheck disable=SC2086 # two words
    until_orderly let_go $_by
    is "$status" 0 "$_name: detached"
    alive
    ok $? "$_name: QEMU runs on"
  done
  stop_qemu
}

mib=$((1 << 20))
kinds "private" $((128 * mib)) -m 128 -name guest=first,debug-threads=on \
  -object memory-backend-ram,id=r,size=128M,prealloc=on \
  -machine q35,memory-backend=r
kinds "shared" $((128 * mib)) -m 128 \
  -object memory-backend-memfd,id=r,size=128M,share=on,prealloc=on \
  -machine pc,memory-backend=r
: >"$tmp/memory"
kinds "file" $((64 * mib)) -m 64 -object memory-backend-file,id=r,size=64M,share=on,prealloc=on,mem-path="$tmp/memory" \
  -machine pc,memory-backend=r

# --- plugged in, above 4 GiB ---------------------------------------------------
start_qemu -m 128,slots=3,maxmem=1G -machine q35 -name plugged
attach --qmp "$tmp/qmp"
ok $? "a guest with room for more memory"
bytes() { answers | jq '.[0].memory_bytes'; }
before=$(bytes)
hmp 'object_add memory-backend-ram,id=d0,size=64M,prealloc=on
device_add pc-dimm,memdev=d0,id=dimm0
info status' 'VM status'
grown() { [ "$(bytes)" -ge $((before + 64 * mib)) ]; }
wait_for 300 grown
ok $? "memory plugged in is found ($before, now $(bytes))"
is "$(answers | jq -r '.[0].name')" plugged "and its name is as QEMU has it"
refused "another client uses this monitor" "a second one on the monitor" \
  --abits none --qmp "$tmp/qmp"

# --- memory changes, and what there is can't be served --------------------------
# It has no place for its socket any more when memory is plugged in.
detach
mkdir "$tmp/place"
timeout 300 "$vmm" attach --abits none --socket "$tmp/place/s" \
  --qmp "$tmp/qmp" 2>"$tmp/log" &
attached=$!
wait_for 300 [ -S "$tmp/place/s" ]
ok $? "attached, with its socket in a directory of its own"
rm -r "$tmp/place"
hmp 'object_add memory-backend-ram,id=d1,size=64M
device_add pc-dimm,memdev=d1,id=dimm1
info status' 'VM status'
status=0
wait "$attached" || status=$?
is "$status" 1 "no place for the socket when memory is plugged in: it ends"
like "$(cat "$tmp/log")" "$tmp/place/s" "and prints why"
attach --qmp "$tmp/qmp"
ok $? "it can be attached to again"

# --- stopped while QEMU's monitor does not answer -----------------------------
# The third argument of poll() is the time that an answer may take: a tick of
# attach's own is shorter.
asks() {
  read -r _nr _ _ _ms _ <"/proc/$attached/syscall" && [ "$_nr" = 7 ] &&
    [ $((_ms)) -gt 1000 ]
}
kill -STOP "$qemu"
wait_for 300 asks
ok $? "attach waits for the monitor of a QEMU that stands still"
stop_while_it_asks() {
  # Another round: attaching needs a QEMU that runs.
  [ -n "$attached" ] || {
    kill -CONT "$qemu"
    attach --qmp "$tmp/qmp"
    kill -STOP "$qemu"
    wait_for 300 asks
  }
  detach
}
until_orderly stop_while_it_asks
is "$status" 0 "... and ends in good order all the same"
stop_one_that_begins() { # sets asked, too
  # QEMU takes leave of the last one first: only a few may queue.
  kill -CONT "$qemu"
  alive
  kill -STOP "$qemu"
  "$vmm" attach --abits none --socket "$tmp/s" --qmp "$tmp/qmp" 2>"$tmp/log" &
  attached=$!
  wait_for 300 asks
  asked=$?
  detach
}
until_orderly stop_one_that_begins
ok "$asked" "so does one that begins"
is "$status:$(cat "$tmp/log")" 0: "... it ends as well, and has no complaint"
kill -CONT "$qemu"
attach --qmp "$tmp/qmp"
ok $? "QEMU continues: it can be attached to"

# --- killed at any moment -----------------------------------------------------
n=0 lost=0
kill -9 "$attached"
wait "$attached" 2>/dev/null
while [ $n -lt 20 ]; do
  n=$((n + 1))
  "$vmm" attach --abits none --socket "$tmp/s" --qmp "$tmp/qmp" 2>"$tmp/log" &
  attached=$!
  sleep "0.$((n * 7 % 10))"
  kill -9 "$attached"
  wait "$attached" 2>/dev/null
  alive || lost=$((lost + 1))
done
is "$lost" 0 "killed 20 times at any moment: QEMU runs on"
attach --qmp "$tmp/qmp"
ok $? "and can be attached to again"

# --- it ends --------------------------------------------------------------------
stop_qemu
status=0
wait "$attached" || status=$?
attached=''
is "$status" 0 "the guest ends: so does attach"
like "$(cat "$tmp/log")" "plugged ended" "and logs it"
[ ! -e "$tmp/s" ]
ok $? "its socket is removed"

# --- no -----------------------------------------------------------------------
refused "no process 4194305" "no such process" --pid 4194305
sleep 60 &
other=$!
refused "not a QEMU" "not QEMU" --pid $other
kill $other
refused "qmp" "no monitor" --qmp "$tmp/none"
"$vmm" attach 2>"$tmp/log"
is $? 2 "no guest named: a wrong command line"
"$vmm" attach --pid 1 domain 2>"$tmp/log"
is $? 2 "two guests named: too"
start_qemu -m 32 -machine q35
refused "soft can only unmap memory of its own process" "a source that can't" \
  --pid "$qemu" --abits soft --reclaim on
printf 'no ages\n' >"$tmp/ages"
refused "the file holds no page ages" "a file that holds something else" --pid "$qemu" \
  --abits none --ages "$tmp/ages"
stop_qemu
# May a process that we start lock all of its memory?
may_lock() {
  # shellcheck disable=SC3045 # dash and bash have it
  [ "$(ulimit -l)" = unlimited ] ||
    [ $((0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 14 & 1)) = 1 ]
}
if may_lock; then
  start_qemu -m 32 -machine q35 -overcommit mem-lock=on
  rc=$?
  ok $rc "QEMU with locked memory starts"
  [ $rc = 0 ] || sed 's/^/# /' "$tmp/qemu.log"
  refused "locked in RAM" "memory that is locked" --pid "$qemu" --abits none
  stop_qemu
else
  skip "memory that is locked" "this root has neither CAP_IPC_LOCK nor an" \
    "unlimited RLIMIT_MEMLOCK"
fi
done_testing
