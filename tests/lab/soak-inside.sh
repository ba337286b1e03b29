# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# soak-inside.sh KERNEL ROUNDS: in level 1.  Exit status: 0; 10 the guest hung; 11
# it crashed; 12 it found wrong data; 13 a guest of QEMU failed; others for other
# failures.
. "$abs_top_srcdir/tests/functions.sh"
kernel=$1 rounds=$2
vmm_pid='' shorts_pid=''
on_exit() {
  for _pid in $vmm_pid $shorts_pid; do kill -KILL "$_pid" 2>/dev/null; done
}
cd "$tmp" || exit 1
mkfifo input
exec 9<>input
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1

# A shutdown resets the guest's CPU, so that only the trace tells where it was; and
# what was injected before, asynchronous page faults among it.
trace=/sys/kernel/tracing
echo 'exit_reason == 0x7f' >$trace/events/kvm/kvm_exit/filter &&
  for event in kvm_exit kvm_inj_exception kvm_async_pf_not_present \
    kvm_async_pf_ready; do
    echo 1 >$trace/events/kvm/$event/enable || exit 1
  done

last_words() { # STATUS
  echo "the last exits, exceptions and asynchronous page faults:"
  tail -n 30 $trace/trace
  echo "the guest's console:"
  tr -d '\r' <console | tail -n 30
  echo "what vmm said:"
  cat messages
  dmesg | tail -n 20
  exit "$1"
}

"$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" --mem 288M \
  --cpus 2 --cmdline "console=ttyS0 quiet panic=-1" --abits kvm-young --sink swap \
  --socket "$tmp/socket" --reclaim off,period=300ms,idle=2,cpu=100 \
  <input >console 2>messages &
vmm_pid=$!
says() { [ "$(grep -ac "$1" console)" -ge "${2:-1}" ]; }
# await WHAT COMMAND...: or the guest's end
await() {
  what=$1
  shift
  done_or_gone() { "$@" || ! kill -0 "$vmm_pid" 2>/dev/null; }
  wait_for 1200 done_or_gone "$@" || {
    echo "timeout while waiting for $what"
    last_words 10
  }
  kill -0 "$vmm_pid" 2>/dev/null || {
    wait "$vmm_pid"
    echo "the guest ended before $what: status $?"
    last_words 11
  }
  echo "$(cut -d' ' -f1 /proc/uptime) s: $what"
}
stat_of() { value_of "$tmp/socket" /stats "$1"; }
await "the cold process" says 'cold: pid.*wrote'

# QEMU's guests: one boots and ends, then the next.
shorts() {
  n=0
  while [ ! -e end ]; do
    n=$((n + 1))
    timeout 900 qemu-system-x86_64 -accel kvm -cpu host -machine q35 -smp 2 \
      -m 192 -display none -nodefaults -no-reboot -kernel "$kernel" \
      -initrd "$LAB_OUT/guest.cpio" -serial stdio \
      -append "console=ttyS0 quiet panic=-1 role=short" </dev/null >short 2>&1 ||
      { echo "QEMU ended with $?" >>short; break; }
    grep -q 'G short 2' short || break
    echo $n >nr_shorts
  done
  [ -e end ] || touch short_failed
}
shorts &
shorts_pid=$!

"$vmm" policy --socket "$tmp/socket" on,target=80M >/dev/null ||
  last_words 1
round=0 evicted=0
while [ $round -lt "$rounds" ]; do
  round=$((round + 1))
  # All of the cold process, and more: it has 96 MiB.
  enough() { [ "$(stat_of .engine.nr_evicted)" -ge $((evicted + 20000)) ]; }
  await "evictions in round $round" enough
  evicted=$(stat_of .engine.nr_evicted)
  echo check >&9
  await "the check of round $round" says 'cold: pid.*checked' $round
done
touch end
refaults=$(stat_of .engine.nr_refaults)
! tr -d '\r' <console | grep -a 'cold: pid.*checked' | grep -qv 'intact$' ||
  last_words 12
echo off >&9
ended() { ! kill -0 "$vmm_pid" 2>/dev/null; }
wait_for 900 ended || { echo "no end"; last_words 10; }
status=0
wait "$vmm_pid" || status=$?
[ $status = 0 ] || { echo "vmm ended with status $status"; last_words 11; }
vmm_pid=''
wait "$shorts_pid"
shorts_pid=''
[ ! -e short_failed ] || { tail -n 40 short; exit 13; }
complaints=$(dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|stalls? on|lockup')
[ -z "$complaints" ] || { dmesg | tail -n 60; exit 14; }
echo "soak: $evicted evicted, $refaults came back, $rounds checks were right," \
  "QEMU's guests: $(cat nr_shorts)"
