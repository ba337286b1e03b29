# Shell helpers for tests that print TAP.  Source it; end with `done_testing`.
# shellcheck shell=sh

# PATH of other users may lack sbin, where libvirtd, mke2fs and sshd are.
PATH=$PATH:/usr/sbin:/sbin
nr=0
nr_failed=0
vmm=${abs_top_builddir:-build}/vmm/vmm
srcdir=${abs_top_srcdir:-.}

tmp=$(mktemp -d)
# A test that has more to clean up redefines on_exit.
on_exit() { :; }
trap 'on_exit; damon_return; rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
# The reader of our output has ended, as in `test.sh | head`.
trap 'trap "" PIPE; exit 1' PIPE

# ok STATUS NAME...: 0 passes.
ok() {
  nr=$((nr + 1))
  if [ "$1" = 0 ]; then
    shift
    echo "ok $nr - $*"
  else
    shift
    echo "not ok $nr - $*"
    nr_failed=$((nr_failed + 1))
  fi
}

# is GOT WANT NAME
is() {
  if [ "$1" = "$2" ]; then
    ok 0 "$3"
  else
    ok 1 "$3"
    printf '# got:  %s\n# want: %s\n' "$1" "$2"
  fi
}

# like TEXT PATTERN NAME: an extended regular expression
like() {
  if printf '%s\n' "$1" | grep -Eq -- "$2"; then
    ok 0 "$3"
  else
    ok 1 "$3"
    printf '%s\n' "$1" | sed 's/^/# got: /'
    echo "# want: $2"
  fi
}

skip() { # NAME REASON...
  nr=$((nr + 1))
  _skipped=$1
  shift
  echo "ok $nr - $_skipped # SKIP $*"
}

# prove NAME PROGRAM...: runs a program that prints TAP itself, as one test. Its
# output is printed as comments, and is in $tmp/proved. If it skipped something
# and did not fail, the test is skipped; $skipped is the reason, or ''.
prove() {
  _name=$1
  shift
  _rc=0
  "$@" >"$tmp/proved" 2>&1 || _rc=$?
  sed 's/^\([^#]\)/# \1/' "$tmp/proved"
  skipped=$(sed -n 's/^.*# SKIP //p' "$tmp/proved" | head -n 1)
  if [ $_rc = 0 ] && [ -n "$skipped" ]; then
    skip "$_name" "$skipped"
  else
    ok $_rc "$_name"
  fi
}

# A test is skipped if the machine or its kernel lacks something, or if it needs
# root.
skip_all() { # REASON
  echo "1..0 # SKIP $*"
  exit 0
}

# What is only missing, such as a package, swap or a service that does not start,
# is a failure: a skip would hide that the test never ran.
fail_all() { # REASON, with the remedy
  echo "1..1"
  echo "not ok 1 - $*"
  exit 1
}

# require PROGRAM[:PACKAGE]...: PACKAGE is the Debian package that has PROGRAM;
# without it, the one of the same name.
require() {
  for _need; do
    command -v "${_need%%:*}" >/dev/null ||
      fail_all "${_need%%:*} not found: install the Debian package" \
        "${_need##*:}, or all that are needed: ./bootstrap --deps"
  done
}

require_root() { # WHY
  [ "$(id -u)" = 0 ] || skip_all "$*: run as root"
}

# The store serves page faults of guests, which the kernel allows root, and
# others depending on vm.unprivileged_userfaultfd or the permissions of
# /dev/userfaultfd.
may_serve_faults() {
  [ "$(id -u)" = 0 ] ||
    [ "$(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null)" = 1 ] ||
    { [ -r /dev/userfaultfd ] && [ -w /dev/userfaultfd ]; }
}
require_faults() {
  may_serve_faults || skip_all "only root may serve page faults of guests, as" \
    "vm.unprivileged_userfaultfd is 0: run as root"
}

# require_kernel: sets kernel, the newest packaged one of /boot, and release
require_kernel() {
  kernel=$(printf '%s\n' /boot/vmlinuz-*-amd64 | sort -V | tail -n 1)
  release=${kernel#/boot/vmlinuz-}
  [ -e "$kernel" ] || fail_all "no packaged kernel: install the Debian package" \
    "linux-image-amd64, or all that are needed: ./bootstrap --deps"
  [ -r "$kernel" ] || skip_all "$kernel cannot be read: run as root"
}

# require_headers RELEASE: what modules for that kernel are built against
require_headers() {
  [ -e "/lib/modules/$1/build/Makefile" ] || fail_all "no headers of kernel $1:" \
    "install the Debian package linux-headers-amd64, or all that are needed:" \
    "./bootstrap --deps"
}

# If it was excluded on purpose, skip; otherwise libvirt-dev was missing.
require_libvirt_build() {
  "$vmm" libvirt show x --connect test:///default 2>&1 |
    grep -q 'built without libvirt' || return 0
  "${abs_top_builddir:-build}/config.status" --config |
    grep -q -e --without-libvirt && skip_all "configured --without-libvirt"
  fail_all "this vmm was built without libvirt: install the Debian package" \
    "libvirt-dev and run configure again"
}

# require_swap MIB: waits until that much swap is free, as other tests use some
# temporarily.
has_swap() { # Total|Free MIB
  [ "$(awk "/^Swap$1/ { print int(\$2 / 1024) }" /proc/meminfo)" -ge "$2" ]
}
require_swap() {
  { has_swap Total "$1" && wait_for 600 has_swap Free "$1"; } ||
    fail_all "less than $1 MiB of swap are free: add some, for example by" \
      "tests/make-swap $1"
}

# wait_for SECONDS COMMAND...: repeats it until it succeeds; 1 if it never does.
# In the lab, whose processors are emulated, it waits three times as long. After
# a failure in the test it waits a minute at most.
poll_pause=0.1
[ -z "${LAB-}" ] || poll_pause=0.3
_now() { read -r _uptime _ </proc/uptime; } # starts no process: slow in the lab
wait_for() {
  _now
  _for=$1
  shift
  [ "$nr_failed" = 0 ] || [ "$_for" -le 60 ] || _for=60
  _end=$((${_uptime%.*} + _for * (${LAB:+2} + 1)))
  until "$@" >/dev/null 2>&1; do
    _now
    [ "${_uptime%.*}" -lt "$_end" ] || return 1
    sleep $poll_pause
  done
}

# value_of SOCKET PATH JQ-EXPRESSION: of a control socket's answer to GET PATH;
# empty without an answer.  Keys alone need no jq (tests/query.c: what that
# saves).
query() { "${abs_top_builddir:-build}/tests/query" "$@" 2>/dev/null; }
value_of() {
  case $3 in
  *[!a-z0-9_.]*) query "$1" "$2" | jq -r "$3" 2>/dev/null ;;
  *) query "$1" "$2" "$3" ;;
  esac
}

# machine_lock FD NAME: until the test ends, or FD is closed, no other test of
# any check on this machine has the unique resource of that name.
machine_lock() {
  _lock=${VMM_TESTS_LOCK_DIR:-/run}/vmm-tests-$2.lock
  require flock:util-linux
  true 2>/dev/null >>"$_lock" || {
    require_root "$_lock cannot be written"
    fail_all "$_lock cannot be written"
  }
  eval "exec $1>>\"\$_lock\""
  flock "$1"
}

# Free memory may be fragmented: the kernel compacts it into huge pages.
compact_memory() { echo 1 2>/dev/null >/proc/sys/vm/compact_memory || :; }

# at_free_port COMMAND...: runs it with $port set to a number that may be free,
# and while it fails, at most ten times, with another one.
at_free_port() {
  port=$((20000 + $$ % 12000))
  for _try in 1 2 3 4 5 6 7 8 9 10; do
    ! "$@" || return 0
    port=$((port + 37))
  done
  return 1
}

# guest_hung CONSOLE MESSAGES: ends the inner part of a lab test whose guest
# printed nothing, hung or crashed; shows the last lines that it printed.
guest_hung() {
  ok 1 "the guest keeps running"
  echo "# load $(cut -d' ' -f1-3 /proc/loadavg)"
  tail -n 40 "$1" | tr -d '\r' | sed 's/^/# console: /'
  sed 's/^/# messages: /' "$2"
  done_testing
  exit 1
}

# DAMON serves one user at a time, and the kernel adds no kdamond while one
# runs. If another user of this machine turned on a kdamond, for example to
# reclaim its memory, a test that needs DAMON is skipped. Only if the user
# allows it by VMM_TESTS_BORROW_DAMON=1, that kdamond is paused while the test
# runs, and resumed with its own settings at its end, however that happens.
damon_dir=${VMM_TESTS_DAMON_DIR:-/sys/kernel/mm/damon/admin/kdamonds}
damon_run=${VMM_TESTS_DAMON_RUN:-/run/vmm}
damon_paused=

# damon_unused COMMAND...: runs it if no vmm has changed DAMON's configuration,
# and lets none change it meanwhile; else fails without running it (see
# vmm/access/damon/damon-owner.h).
damon_unused() {
  mkdir -p -m 700 "$damon_run" || return
  (
    flock -w 60 6 && [ ! -e "$damon_run/damon.saved" ] && "$@" 6>&-
  ) 6>>"$damon_run/damon.lock"
}

damon_foreign() { # prints the state files of kdamonds that run
  for _state in "$damon_dir"/*/state; do
    [ -f "$_state" ] || continue
    [ "$(cat "$_state")" != on ] || echo "$_state"
  done
}

damon_borrow() {
  [ -w "$damon_dir/nr_kdamonds" ] || return 0
  # One test at a time: none mistakes another's pause for an idle DAMON.
  machine_lock 7 damon
  _running=$(damon_foreign)
  [ -n "$_running" ] || return 0
  [ "${VMM_TESTS_BORROW_DAMON-}" = 1 ] || skip_all "DAMON is in use by" \
    "another program ($_running is on); if the tests may pause this kdamond," \
    "set VMM_TESTS_BORROW_DAMON=1: it is resumed when the test ends"
  for _state in $_running; do
    echo "# pausing $_state, as VMM_TESTS_BORROW_DAMON=1 allows"
    # Recorded first: a signal between the two must not lose it.
    damon_paused="$damon_paused $_state"
    echo off >"$_state" || fail_all "$_state cannot be turned off, though" \
      "VMM_TESTS_BORROW_DAMON=1 allows it"
  done
}

damon_turn_on() { # STATE-FILE
  [ "$(cat "$1")" = on ] || echo on >"$1"
}

# A vmm, of this test or another program's, may use DAMON for a while yet.
damon_return() {
  [ -n "$damon_paused" ] || return 0
  trap '' HUP INT TERM # a second signal must not leave it off
  for _state in $damon_paused; do
    wait_for 300 damon_unused damon_turn_on "$_state" ||
      echo "# $_state COULD NOT BE TURNED ON AGAIN"
  done
  damon_paused=
  trap 'exit 1' HUP INT TERM
}

done_testing() {
  echo "1..$nr"
  [ "$nr_failed" = 0 ]
}
