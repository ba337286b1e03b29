# Shell helpers for tests that print TAP.  Source it; end with `done_testing`.
# shellcheck shell=sh

nr=0
nr_failed=0
vmm=${abs_top_builddir:-build}/vmm/vmm
srcdir=${abs_top_srcdir:-.}

tmp=$(mktemp -d)
# A test that has more to clean up redefines on_exit.
on_exit() { :; }
trap 'on_exit; damon_return; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

# ok STATUS NAME: 0 passes.
ok() {
  nr=$((nr + 1))
  if [ "$1" = 0 ]; then
    echo "ok $nr - $2"
  else
    echo "not ok $nr - $2"
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

skip() { # NAME REASON
  nr=$((nr + 1))
  echo "ok $nr - $1 # SKIP $2"
}

skip_all() { # REASON
  echo "1..0 # SKIP $1"
  exit 0
}

# wait_for SECONDS COMMAND...: until it succeeds; 1 when it never does.
wait_for() {
  _end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$_end" ] || return 1
    sleep 0.1
  done
}

# DAMON serves one user at a time.  A kdamond that somebody else set up on this
# machine, for example to reclaim its memory, is paused while a test needs DAMON
# and goes on, with its own settings, when the test ends.
damon_dir=/sys/kernel/mm/damon/admin/kdamonds
damon_paused=

damon_borrow() {
  [ -w "$damon_dir/nr_kdamonds" ] || return 0
  exec 7>"${TMPDIR:-/tmp}/vmm-damon-tests.lock"
  flock 7
  for _state in "$damon_dir"/*/state; do
    [ -f "$_state" ] && [ "$(cat "$_state")" = on ] || continue
    echo "# pausing $_state, which somebody else turned on"
    echo off >"$_state" && damon_paused="$damon_paused $_state"
  done
}

damon_return() {
  for _state in $damon_paused; do
    echo on >"$_state" || echo "# $_state could not be turned on again"
  done
  damon_paused=
}

done_testing() {
  echo "1..$nr"
  [ "$nr_failed" = 0 ]
}
