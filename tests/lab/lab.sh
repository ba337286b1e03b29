#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab itself: its promises, and its refusals.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require

refused() { # STATUS PATTERN NAME OPTION...
  want=$1 pattern=$2 name=$3
  shift 3
  said=$("$lab" "$@" 2>&1)
  is $? "$want" "refused: $name"
  like "$said" "$pattern" "and it prints why"
}
refused 2 'usage: lab' "no command"
refused 2 'not a number of seconds' "a timeout of soon" --timeout soon true
refused 2 'not a bzImage' "a kernel that is none" --kernel /etc/passwd true
refused 2 'cannot be read' "a kernel that is not there" --kernel /none true
refused 2 'not a size like' "a memory of much" --mem much true
refused 2 'unknown option --nope' "an unknown option" --nope true
refused 2 'needs a value' "an option without its value" --out
refused 2 'not NAME' "a variable without a name" --env '1=2' true
refused 127 'not found' "a QEMU that is not there" --accel tcg --qemu /none true
mkdir "$tmp/bin"
for tool in readlink dirname; do
  ln -s "$(command -v $tool)" "$tmp/bin/$tool"
done
said=$(env -i PATH="$tmp/bin" "$lab" --timeout 5 true 2>&1)
is $? 127 "refused: no programs"
like "$said" 'not found: install the Debian package' "and it prints why"

cat >"$tmp/inside.sh" <<'EOT'
cd "$1" || exit 1
printf '%s|' "$2" "$3" "$GIVEN" "$PWD"
echo
echo "to stderr" >&2
[ -c /dev/kvm ] && echo "kvm: yes"
touch "$1/lost" && echo "kept" >"$LAB_OUT/kept"
grep -c zram0 /proc/swaps
exit 37
EOT
cd "$tmp" || exit 1
# shellcheck disable=SC2016 # literally
tricky='a "b" '"'c'"' $HOME *'
lab_run --timeout 900 --swap 64M --env 'GIVEN=x y' sh "$tmp/inside.sh" \
  "$tmp" "$tricky" '' >"$tmp/diag"
is "$lab_status" 37 "the command's exit status"
is "$lab_stdout" "$tricky||x y|$tmp|
kvm: yes
1" "its stdout: arguments, variables, directory, kvm, swap"
is "$lab_stderr" "to stderr" "its stderr, apart"
is "$(cat "$lab_out/kept")" kept "files in LAB_OUT stay"
[ ! -e "$tmp/lost" ]
ok $? "others do not"

began=$(date +%s)
said=$(TMPDIR=$tmp "$lab" --timeout 2 true 2>&1)
is $? 124 "a hang ends with 124"
like "$said" '^lab: timeout after 2 s' "and is reported"
[ $(($(date +%s) - began)) -lt 600 ]
ok $? "in time"
is "$(ls -d "$tmp"/vmm-lab.* 2>/dev/null)" "" "nothing is left behind"

# --- one that does not boot has run nothing: it is started again ---
printf '#!/bin/sh\necho >>%s\nexec sleep 1000\n' "$tmp/boots" >"$tmp/hangs"
chmod +x "$tmp/hangs"
said=$(TMPDIR=$tmp "$lab" --accel tcg --qemu "$tmp/hangs" --boot-timeout 2 \
  --boots 3 true 2>&1)
is $? 124 "a boot that hangs ends with 124"
is "$(wc -l <"$tmp/boots") $(echo "$said" | grep -c 'is started once more$')" "3 2" \
  "after as many boots as it may take, each of which is reported"
like "$said" '^lab: Linux hung in each of 3 boots' "and so is its end"
lab_run --accel tcg --qemu "$tmp/hangs" --boot-timeout 2 --boots 2 true >"$tmp/diag"
is "$(echo "$lab_stderr" | head -n 1)" \
  "lab: Linux hung in each of 2 boots; the last one:" \
  "lab_run tells the report from the command's stderr"
is "$(grep -c '^# lab: it is started once more$' "$tmp/diag")" 1 "and shows it"

# --- what the monitor of a machine tells whose CPU 1 has lost an interrupt's end ---
cat >"$tmp/monitor" <<'EOT'
CPU#0
RIP=ffffffff81a592eb RFL=00000202 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
CPU#1
RIP=ffffffff81a592eb RFL=00000216 [----AP-] CPL=0 II=0 A20=1 SMM=0 HLT=1
dumping local APIC state for CPU 0
ISR	 251 
IRR	 (none)
dumping local APIC state for CPU 1
ISR	 236 
IRR	 33 236 
EOT
sed 's/^ISR.*236.*/ISR\t (none)/' "$tmp/monitor" >"$tmp/monitor.well"
cat >"$tmp/halts" <<'EOT'
#!/bin/bash
while [ $# -gt 0 ]; do
  case $1 in unix:*/monitor,*) socket=${1#unix:} ;; esac
  shift
done
exec socat "UNIX-LISTEN:${socket%%,*},fork" "SYSTEM:cat '$MONITOR'"
EOT
chmod +x "$tmp/halts"
said=$(MONITOR=$tmp/monitor "$lab" --accel tcg --qemu "$tmp/halts" --boots 1 \
  --boot-timeout 10000 --timeout 10000 true 2>&1)
is $? 124 "a CPU that halts within an interrupt is seen long before the time is up"
like "$said" 'ISR.*236' "and shown"
said=$(MONITOR=$tmp/monitor.well "$lab" --accel tcg --qemu "$tmp/halts" --boots 1 \
  --boot-timeout 10000 --timeout 25 true 2>&1)
is $? 124 "one that serves an interrupt and runs is left alone"
like "$said" '^lab: timeout after 25 s' "until the time is up"

# --- level 1 crashes: its last lines are shown, and a command is never retried ---
cat >"$tmp/falls.sh" <<'EOT'
echo "one more" >>"$LAB_OUT/fell"
sync
echo "<3>BUG: seen in $1" >/dev/kmsg
echo c >/proc/sysrq-trigger
sleep 60
EOT
lab_exec --timeout 900 sh "$tmp/falls.sh" something >"$tmp/diag" 2>"$tmp/words"
is $? 125 "a fall ends with 125"
like "$(cat "$tmp/words")" 'BUG: seen in something' "with the machine's last words"
lab_run --timeout 900 sh "$tmp/falls.sh" something >"$tmp/diag"
is "$lab_status" 125 "lab_run reports it, too"
is "$(wc -l <"$tmp/out/fell")" 2 "nothing is tried again"
done_testing
