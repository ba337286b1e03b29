#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm doctor on this machine: its output is well-formed, and agrees with `vmm
# run` and the kernel's own files.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
require jq curl
# Nobody of another test pauses DAMON meanwhile.
[ ! -w "$damon_dir/nr_kdamonds" ] || machine_lock 7 damon

# DAMON's configuration, without what changes by itself, in FILE. Fails while a
# vmm configures it, whose pass may begin or end at any time.
damon_config() { # FILE
  damon_unused find "$damon_dir" -type f \( -name 'nr_*' -o \
    -name state -o -name action -o -name operations \) \
    ! -path '*/stats/*' -exec grep -H . {} + >"$1.all" 2>/dev/null || return
  sort "$1.all" >"$1"
}

# doctor OPTION...: its answer in $tmp/json, its exit status in $status.
doctor() {
  status=0
  "$vmm" doctor --json "$@" >"$tmp/json" 2>"$tmp/said" || status=$?
}
of() { jq -r "$1" "$tmp/json"; }
fact() { # GROUP NAME MEMBER
  jq -r --arg g "$1" --arg n "$2" --arg m "$3" \
    '.facts[] | select(.group == $g and .name == $n) | .[$m]' "$tmp/json"
}

# sound NAME: what is true of any answer
sound() {
  is "$(of '[.facts[] | select(.status != "ok" and .remedy == "") | .name] |
    join(" ")')" "" "$1: each obstacle has its remedy"
  is "$(of '[.facts[] | [.group, .name]] | length - (unique | length)')" 0 \
    "$1: each fact is told once"
  is "$(of '[.facts[].status] | unique - ["ok", "note", "warn", "fail"] |
    length')" 0 "$1: each status is a known one"
  is "$(of '.summary | .good == (.guests and .process and (.source != null) and
    (.sink != null))')" true "$1: the summary adds up"
  is "$status" "$(of 'if .summary.good then 0 else 1 end')" \
    "$1: the exit status says the same"
}

if [ -w "$damon_dir/nr_kdamonds" ]; then
  wait_for 600 damon_config "$tmp/before"
  damon_known=$?
else
  damon_known=1
fi
doctor
sound "this host"
is "$(cat "$tmp/said")" "" "nothing else is said"
if [ $damon_known = 0 ] && wait_for 600 damon_config "$tmp/after"; then
  is "$(cat "$tmp/after")" "$(cat "$tmp/before")" "DAMON is as it was"
else
  skip "DAMON is as it was" "there is none, only root may read how it is" \
    "configured, or it is in use by a vmm"
fi
# The two agree, unless what another test's vmm has of DAMON or swap changed between.
table_agrees() {
  doctor
  text_status=0
  "$vmm" doctor >"$tmp/text" 2>&1 || text_status=$?
  [ "$text_status" = "$status" ] &&
    [ "$(tail -n 1 "$tmp/text")" = "$(of .summary.text)" ] &&
    [ "$(grep -cE '^  (OK|-|WARN|FAIL) ' "$tmp/text")" = "$(of '.facts | length')" ] &&
    [ "$(grep -c '^ *-> ' "$tmp/text")" = \
      "$(of '[.facts[] | select(.remedy != "")] | length')" ]
}
for _ in 1 2 3 4 5; do
  ! table_agrees || break
done
is "$text_status" "$status" "the table has the same exit status"
is "$(tail -n 1 "$tmp/text")" "$(of .summary.text)" "and the same summary"
is "$(grep -cE '^  (OK|-|WARN|FAIL) ' "$tmp/text")" "$(of '.facts | length')" \
  "and a line for each fact"
is "$(grep -c '^ *-> ' "$tmp/text")" \
  "$(of '[.facts[] | select(.remedy != "")] | length')" "and for each remedy"
like "$(of '[.facts[] | select(.group == "sources") | .name] | join(" ")')" \
  '^kvm-young damon page-idle rwp soft' "all sources were tried, in their order"
is "$(of '[.facts[] | select(.value == "not tried" and .status != "note")] |
  length')" 0 "what is not tried is not blamed"

if [ -e /sys/kernel/mm/page_idle/bitmap ]; then
  skip "page-idle is told to be absent" "this kernel has it"
else
  like "$(fact sources page-idle detail)" 'no /sys/kernel/mm/page_idle' \
    "page-idle is told to be absent"
fi
if [ $damon_known = 0 ] && grep -q '/state:on$' "$tmp/before"; then
  like "$(fact sources damon status) $(fact sources damon detail)" \
    '^(warn|note|fail) DAMON is in use' "who uses DAMON is told"
else
  skip "who uses DAMON is told" "it is not in use"
fi
if [ "$(awk 'NR > 1 { n += $3 - $4 } END { print (n > 4096) }' /proc/swaps)" = 1 ]
then
  is "$(fact sinks swap status)" ok "with free swap the swap sink serves"
else
  is "$(fact reclaim swap status)" warn "without swap that is told"
fi

"$vmm" doctor --nosuch >/dev/null 2>&1
is "$?" 2 "a wrong option: exit status 2"
"$vmm" doctor stray >/dev/null 2>&1
is "$?" 2 "a stray word: exit status 2"
for pid in 0 -1 x 1x 99999999999; do
  "$vmm" doctor --pid "$pid" >/dev/null 2>&1
  is "$?" 2 "--pid $pid: exit status 2"
done

# A process without a VM.
doctor --pid $$
sound "the shell"
is "$(fact process vm status) $(of .summary.process)" "fail false" \
  "a shell is no VM"
like "$(fact process vm remedy)" pgrep "how to find one is told"

# Without KVM, in a mount namespace of its own.
if unshare -m true 2>/dev/null; then
  status=0
  unshare -m sh -c 'mount -t tmpfs none /dev && exec "$@"' - \
    "$vmm" doctor --json >"$tmp/json" 2>"$tmp/said" || status=$?
  sound "without /dev/kvm"
  is "$status $(fact kvm /dev/kvm status)" "1 fail" "without it no guest runs"
  is "$(of .summary.source)" null "and no source serves"

  # A file of swap whose name is cut, and has a byte that JSON cannot have.
  { echo 'Filename Type Size Used Priority'
    printf '/swap-b\374-1234567\303\244 file 1048572 0 -2\n'; } >"$tmp/swaps"
  unshare -m sh -c 'mount --bind "$0" /proc/swaps && exec "$@"' "$tmp/swaps" \
    "$vmm" doctor --json >"$tmp/json" 2>"$tmp/said"
  is "$(cat "$tmp/said")" "" "a name that is not UTF-8: no error"
  like "$(fact reclaim swap value)" 'swap-b\?-1234567\? ' \
    "a name that is not UTF-8 is shown"
else
  skip "without /dev/kvm" "no permission to make a mount namespace: run as root"
fi

# Without privilege.
if [ "$(id -u)" = 0 ]; then
  # The build directory may be in a home of root's.
  chmod 755 "$tmp"
  cp "$vmm" "$tmp/vmm"
  status=0
  setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/vmm" doctor --json \
    >"$tmp/json" 2>"$tmp/said" || status=$?
  sound "as nobody"
  is "$(fact 'accessed bits' page-frames status)" warn \
    "as nobody: page frames are hidden"
  case $(of .summary.source) in
  damon | page-idle) ok 1 "as nobody: no source that needs root" ;;
  *) ok 0 "as nobody: no source that needs root" ;;
  esac
else
  skip "as nobody" "only root can become nobody: run as root"
fi

if ! { [ -r /dev/kvm ] && [ -w /dev/kvm ]; }; then
  skip "with a VM" "no /dev/kvm that may be opened: load kvm_intel or kvm_amd"
  done_testing
  exit
fi

# A VM: it takes the source that doctor names, and doctor finds it healthy.  Somebody
# else may have begun or ended to use DAMON between the two: then another time.
start_guest() { # sets rc, and source: as doctor names it
  doctor
  source=$(of .summary.source)
  payload_start "pattern=hotcold seconds=100000" --mem 96M --cpus 1 --abits auto \
    --socket "$socket"
  rc=0
  wait_event 300 run || rc=$?
}
for try in 1 2 3; do
  start_guest
  if [ $rc != 0 ] || [ "$(stat_of .engine.source)" = "$source" ] || [ $try = 3 ]
  then break; fi
  payload_cleanup
done
if [ $rc = 0 ]; then
  doctor --pid "$vmm_pid"
  sound "a VM"
  is "$(fact process vm status)" ok "a VM is one"
  like "$(fact process guest-memory value)" 'iB in large areas' "it has memory"
  is "$(of '[.facts[] | select(.group == "process" and .status == "fail")] |
    length')" 0 "nothing of it fails"
  is "$(stat_of .engine.source)" "$source" \
    "run --abits auto takes the source that doctor names"
else
  ok 1 "the guest starts"
fi
payload_end_run
payload_wait
is "$status" 0 "the VM ends well"
done_testing
