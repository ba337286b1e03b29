# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: starts guests, and prints TAP.
. "${abs_top_srcdir:-.}/tests/functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
vmm_pid=
on_exit() { [ -z "$vmm_pid" ] || kill "$vmm_pid" 2>/dev/null; }
kernel=$(printf '%s\n' /boot/vmlinuz-*-amd64 | sort -V | tail -n 1)
cd "$tmp" || exit 1
mkfifo input
exec 9<>input

start() { # END VMM-OPTION...
  end=$1
  shift
  began=$(date +%s%N)
  "$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" \
    --cmdline "console=ttyS0 quiet panic=-1 end=$end" --mem 256M \
    --abits none "$@" <input >"console-$end" 2>"messages-$end" &
  vmm_pid=$!
}
# The guest's answers, a line each; its console has carriage returns.
answer() {
  tr -d '\r' <"console-$end" | sed -n "s/^R $1 *//p"
}
wait_end() { # sets status
  (sleep 600; kill -KILL "$vmm_pid") >/dev/null 2>&1 &
  watch=$!
  status=0
  wait "$vmm_pid" || status=$?
  kill "$watch" 2>/dev/null
  vmm_pid=
}
finish() { # STATUS NAME
  [ -z "$vmm_pid" ] || wait_end
  [ "$status" != 137 ] || guest_hung "console-$end" "messages-$end"
  is "$status" "$1" "$2"
  echo "# end=$end: $((($(date +%s%N) - began) / 1000000)) ms wall," \
    "init at $(answer uptime) s of guest time"
  [ "$status" = "$1" ] || {
    tail -n 20 "console-$end" | sed 's/^/# console: /'
    sed 's/^/# messages: /' "messages-$end"
  }
}

start poweroff --cpus 2 --disk "$LAB_OUT/guest.cpio,ro"
finish 0 'power-off: exit status 0'
# That was the bzImage; the others boot what is packed in it.
kernel=$LAB_GUEST_KERNEL
is "$(answer cpus)" 2 'both CPUs are up'
is "$(answer hypervisor)" 2 'both know that they are virtual'
like "$(answer clock)" '^(kvm-clock|tsc)$' 'the clock is the hypervisor'"'"'s'
is "$(answer acpi)" 4 'ACPI names four virtio devices'
is "$(answer virtio)" 4 'and the guest has drivers on the four'
tr -d '\r' <console-poweroff | grep -qi 'acpi.*error'
is "$?" 1 'the kernel finds no error in the ACPI tables'

start reboot
finish 3 'reboot: exit status 3'
start panic
finish 4 'panic: exit status 4'
start echo
wait_for 120 grep -q '^R ready' console-echo
echo 'typed on the console' >&9
finish 0 'input: the guest ended itself'
like "$(answer heard)" 'typed on the console' 'input: reaches the guest'
terminate() {
  start stay --socket "$tmp/control"
  wait_for 120 grep -q '^R ready' console-stay
  [ -S "$tmp/control" ]
  ok $? 'SIGTERM: the socket is there before'
  kill -TERM "$vmm_pid"
  wait_end
}
until_orderly terminate
finish 6 'SIGTERM: exit status 6'
[ ! -e "$tmp/control" ]
ok $? 'SIGTERM: the socket is removed'
done_testing
