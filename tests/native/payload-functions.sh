# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests that run the payload guest on this machine's own KVM.  Sources
# ../functions.sh.  The guest reports JSON lines on its serial port, which
# `vmm run` copies to its standard output.

. "${abs_top_srcdir:-.}/tests/functions.sh"
payload=${abs_top_builddir:-build}/tests/payload/payload.elf
vmm_pid=
socket=$tmp/socket # for a test to give to --socket

payload_require() {
  [ -e /dev/kvm ] || skip_all "no /dev/kvm: load kvm_intel or kvm_amd"
  { [ -r /dev/kvm ] && [ -w /dev/kvm ]; } ||
    skip_all "/dev/kvm may not be opened: join the group kvm or be root"
  require jq curl
}

# payload_start CMDLINE VMM-OPTION...: in the background; its output in $log.
payload_start() {
  _cmdline=$1
  shift
  log=$tmp/serial
  : >"$log"
  # Kept open here too, so that the guest's input never ends.
  [ -p "$tmp/input" ] || mkfifo "$tmp/input"
  exec 3<>"$tmp/input"
  "$vmm" run --kernel "$payload" --cmdline "$_cmdline" "$@" \
    >"$log" 2>"$tmp/stderr" <"$tmp/input" &
  vmm_pid=$!
}

# payload_end_run: the guest stops its pattern and goes on to its last check.
payload_end_run() { printf q >&3; }

# payload_wait: for its end; sets status.
payload_wait() {
  status=0
  wait "$vmm_pid" || status=$?
  vmm_pid=
  [ "$status" = 0 ] || {
    sed 's/^/# serial: /' "$log"
    sed 's/^/# stderr: /' "$tmp/stderr"
  }
}

# payload_run CMDLINE VMM-OPTION...: start, and wait for at most $limit seconds.
limit=900
payload_run() {
  payload_start "$@"
  (sleep "$limit" && kill "$vmm_pid") >/dev/null 2>&1 &
  _watch=$!
  payload_wait
  kill "$_watch" 2>/dev/null || :
}

# event NAME KEY: the member of the last such event; empty if there is none.
event() {
  sed -n '/^{.*}/p' "$log" | tr -d '\r' |
    jq -r --arg e "$1" --arg k "$2" 'select(.event == $e) | .[$k]' 2>/dev/null |
    tail -n 1
}

# has_event NAME
has_event() { grep -q "\"event\":\"$1\"" "$log"; }

# wait_event SECONDS NAME; does not wait for a VM that has ended
event_or_end() { has_event "$1" || ! kill -0 "$vmm_pid" 2>/dev/null; }
wait_event() { wait_for "$1" event_or_end "$2" && has_event "$2"; }

# between LOW VALUE HIGH NAME: whole numbers
between() {
  case $2 in
  '' | *[!0-9]*) ok 1 "$4"; echo "# got '$2', want a number" ;;
  *)
    if [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; then
      ok 0 "$4"
    else
      ok 1 "$4"
      echo "# got $2, want $1 to $3"
    fi ;;
  esac
}

# api PATH [CURL-OPTION...]: of the VM behind $socket
api() {
  _path=$1
  shift
  curl -sS --max-time 120 --unix-socket "$socket" "$@" "http://vmm$_path"
}

# stat_of JQ-EXPRESSION: of GET /stats; empty without an answer
stat_of() { value_of "$socket" /stats "$1"; }

# What the engine has done; waits are for $grace seconds.
grace=600
resident_within() {
  _resident=$(stat_of .memory.resident_bytes)
  [ -n "$_resident" ] && [ "$_resident" -le "$1" ]
}
scans_beyond() {
  _scans=$(stat_of .engine.nr_scans)
  [ -n "$_scans" ] && [ "$_scans" -ge "$1" ]
}
some_scans_later() { # NUMBER
  _then=$(($(stat_of .engine.nr_scans) + $1))
  wait_for $grace scans_beyond $_then
}

# payload_in_lab TEST: the whole test in a lab machine, with VMM_TEST_MODULE set
# to the kvm-young module, which is for the test to load.
payload_in_lab() {
  . "$srcdir/tests/lab/functions.sh"
  lab_require
  require_headers "$release"
  lab_module "$tmp/kmod" "$release" >"$tmp/build.log" 2>&1 || {
    sed 's/^/# /' "$tmp/build.log"
    ok 1 "the module builds"
    done_testing
    exit 1
  }
  lab_exec --timeout 5400 --swap 2G \
    --env VMM_TEST_MODULE="$tmp/kmod/kvm_young.ko" sh "$1"
}

payload_cleanup() {
  if [ -n "$vmm_pid" ]; then
    kill "$vmm_pid" 2>/dev/null || :
    wait "$vmm_pid" 2>/dev/null || :
    vmm_pid=
  fi
}
on_exit() { payload_cleanup; }
