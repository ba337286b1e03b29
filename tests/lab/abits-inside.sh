#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# abits-inside.sh TRUTH SOURCE [BUSY]: inside a level-1 machine.  One TAP stream.
# Without an argument BUSY nobody else uses DAMON.
. "$abs_top_srcdir/tests/functions.sh"
truth=$1 source=$2 busy=${3-} with=''
check() { # NAME COMMAND...: passes when the command does
  name=$1
  shift
  nr=$((nr + 1))
  _now
  began=${_uptime%.*}
  if "$@" >/run/check.log 2>&1; then
    echo "ok $nr - $name"
  else
    echo "not ok $nr - $name"
  fi
  _now
  echo "# took $((${_uptime%.*} - began)) s"
  # The tables, and what went wrong.
  grep -vE '^ok [^#]*$|^1\.\.' /run/check.log | sed 's/^\([^#]\)/# \1/'
}
# A skip of the inner test is a failure here: this kernel has the source.
# shellcheck disable=SC2086 # words
truth() { $with "$truth" --abits "$source" "$@" >/run/truth.log 2>&1; rc=$?
  cat /run/truth.log; [ $rc = 0 ] && ! grep -q '^1..0' /run/truth.log; }
# A kernel's own user of DAMON is left alone; this machine is ours to go on.
stat=/sys/module/damon_stat/parameters/enabled
excluded() {
  echo Y >$stat || return 1
  "$truth" --abits damon --mem 4M >/run/stat.log 2>&1
  cat /run/stat.log
  grep -q 'SKIP DAMON is in use by the kernel.s damon_stat' /run/stat.log &&
    [ "$(cat $stat)" = Y ]
}
if [ "$source" = damon ] && [ -e $stat ]; then
  check "the kernel's damon_stat runs: refused, and it keeps running" excluded
  echo N >$stat
fi

check "$source: pages of 4 KiB, all patterns" \
  truth --mem 32M --rounds 2 --window 400 --pattern all
check "$source: huge pages, all patterns" \
  truth --mem 256M --huge --rounds 2 --window 400 --pattern all

[ "$source" = damon ] || { echo "1..$nr"; exit; }

# A pass in which DAMON is stopped late, after several turns.
late() {
  loops=''
  for i in 1 2 3; do
    while :; do :; done &
    loops="$loops $!"
  done
  with='nice -n 10'
  truth --mem 128M --huge --rounds 2 --window 500
  late_rc=$?
  with=''
  kill $loops
  return $late_rc
}
check "damon: huge pages, on busy processors" late

k=/sys/kernel/mm/damon/admin/kdamonds

# All of DAMON's files share a lock, and to write one is refused while another is
# read, here without end.
watched() {
  while :; do read -r _ <$k/0/pid; done 2>/dev/null &
  reader=$!
  truth --mem 16M --rounds 30 --window 1
  watched_rc=$?
  kill $reader
  return $watched_rc
}
check "damon: another program reads DAMON's files all the time" watched

[ -n "$busy" ] || { echo "1..$nr"; exit; }

# What somebody had configured comes back.
configure() {
  echo 2 >$k/nr_kdamonds && echo 1 >$k/1/contexts/nr_contexts &&
    echo paddr >$k/1/contexts/0/operations &&
    echo 1 >$k/1/contexts/0/targets/nr_targets &&
    echo 1 >$k/1/contexts/0/targets/0/regions/nr_regions &&
    echo 4096 >$k/1/contexts/0/targets/0/regions/0/start &&
    echo 1048576 >$k/1/contexts/0/targets/0/regions/0/end
}
configured() {
  [ "$(cat $k/nr_kdamonds)" = 2 ] &&
    [ "$(cat $k/1/contexts/0/operations)" = paddr ] &&
    [ "$(cat $k/1/contexts/0/targets/0/regions/0/end)" = 1048576 ] &&
    [ ! -e /run/vmm/damon.saved ]
}
check "another program configures DAMON" configure
check "... and we use it in between" truth --mem 4M --rounds 1
check "... and the configuration is back" configured

# A vmm that is killed inside a pass leaves no kdamond behind, and no trace.
killed() {
  "$truth" --abits "$source" --mem 64M --rounds 1000000 --window 1 >/dev/null &
  pid=$!
  wait_for 200 has_begun || return
  sleep 3
  kill -KILL $pid
  wait $pid
  wait_for 200 nothing_runs && wait_for 200 configured # by its watchdog
}
has_begun() { [ -e /run/vmm/damon.saved ]; }
nothing_runs() { [ "$(cat $k/0/state)" = off ] && ! pgrep kdamond; }
check "killed in the middle: nothing runs, the configuration is back" killed
check "... the next one takes over" truth --mem 4M --rounds 1
check "... and puts back the first configuration" configured

# While another lives that one does not: it does that at its end, also where the
# one that died was the last to configure DAMON.
user=$abs_top_builddir/tests/lab/damon-user
killed_first() {
  mkfifo /run/hold
  "$user" hold </run/hold >/run/hold.log &
  hold=$!
  exec 3>/run/hold
  wait_for 200 grep -q open /run/hold.log || return
  "$truth" --abits "$source" --mem 4M --rounds 1000000 --window 100 >/dev/null &
  pid=$!
  wait_for 200 grep -q "^$pid\\." /run/vmm/damon.lock || return
  kill -KILL $pid
  wait $pid
  wait_for 200 flock -n /run/vmm/damon.lock true
  has_begun || return
  exec 3>&-
  wait $hold && configured
}
check "one of two is killed: the other puts the configuration back" killed_first

# What somebody configures while we wait for the next pass is not run by us, and
# is theirs in the end.
pageout() { # the first MiB holds no guest
  echo 1 >$k/nr_kdamonds && echo 1 >$k/0/contexts/nr_contexts &&
    echo paddr >$k/0/contexts/0/operations &&
    echo 1 >$k/0/contexts/0/targets/nr_targets &&
    echo 1 >$k/0/contexts/0/targets/0/regions/nr_regions &&
    echo 4096 >$k/0/contexts/0/targets/0/regions/0/start &&
    echo 1048576 >$k/0/contexts/0/targets/0/regions/0/end &&
    echo 1 >$k/0/contexts/0/schemes/nr_schemes &&
    echo pageout >$k/0/contexts/0/schemes/0/action
}
is_pageout() {
  [ "$(cat $k/0/contexts/0/schemes/0/action)" = pageout ] &&
    [ "$(cat $k/0/contexts/0/targets/0/regions/0/end)" = 1048576 ]
}
replaced() {
  "$truth" --abits "$source" --mem 4M --rounds 4 --window 3000 \
    >/run/other.log 2>&1 &
  pid=$!
  wait_for 200 has_begun || return
  sleep 1
  wait_for 200 pageout || return
  wait $pid
  rc=$?
  cat /run/other.log
  [ $rc = 0 ] && [ "$(cat $k/nr_kdamonds)" = 1 ] && is_pageout && ! has_begun
}
check "another program configures DAMON between two passes: restored" replaced

# The same, and turned on: it stays on, and what it does stays.
taken() {
  "$truth" --abits "$source" --mem 4M --rounds 60 --window 3000 \
    >/run/other.log 2>&1 &
  pid=$!
  wait_for 200 has_begun || return
  wait_for 200 start_pageout || return
  admins=$(cat $k/0/pid)
  wait $pid # it can't go on
  cat /run/other.log
  grep -q 'DAMON is in use: kdamond 0' /run/other.log &&
    [ "$(cat $k/0/state)" = on ] && [ "$(cat $k/0/pid)" = "$admins" ] &&
    is_pageout && ! has_begun
}
# Turned on while we replace what is configured, ours would run, and not for long.
start_pageout() { pageout && echo on >$k/0/state && is_pageout; }
check "another program uses DAMON between two passes: it keeps it" taken
taken_back() {
  echo off >$k/0/state && configure
}
check "... until they stop it" taken_back

# So it does when we are killed meanwhile.
taken_killed() {
  "$truth" --abits "$source" --mem 4M --rounds 1000 --window 600000 >/dev/null &
  pid=$!
  wait_for 200 grep -q "^$pid\\." /run/vmm/damon.lock || return
  wait_for 200 start_pageout || return
  admins=$(cat $k/0/pid)
  kill -KILL $pid
  wait $pid
  wait_for 200 none_saved
  [ "$(cat $k/0/state)" = on ] && [ "$(cat $k/0/pid)" = "$admins" ] &&
    is_pageout
}
none_saved() { ! has_begun; }
check "... also when we are killed" taken_killed
check "... until they stop it" taken_back

# A vmm that is stopped inside a pass keeps its lock.
stuck() {
  flock /run/vmm/damon.lock sleep 600 &
  sleeper=$!
  wait_for 60 held || return
  timeout 300 "$truth" --abits "$source" --mem 4M --rounds 1 >/run/other.log 2>&1
  rc=$?
  kill "$(pgrep -P $sleeper)"
  wait $sleeper
  cat /run/other.log
  [ $rc != 124 ] && grep -q 'in use by another vmm.*damon.lock' /run/other.log
}
held() { ! flock -n /run/vmm/damon.lock true; }
check "another does not end its pass: no endless wait, and it is named" stuck

check "a stop ends a harvest of many turns" "$user" stop 768

# Two at the same time take turns.
both() {
  "$truth" --abits "$source" --mem 4M --rounds 2 --window 500 \
    >/run/other.log 2>&1 &
  truth --mem 4M --rounds 2 --window 500 && wait $! &&
    ! grep -q SKIP /run/other.log
}
check "two at the same time" both

# Somebody else's kdamond is left alone.
busy() {
  echo on >$k/1/state || return 1
  "$truth" --abits "$source" --mem 4M >/run/busy.log 2>&1
  cat /run/busy.log
  grep -q 'SKIP DAMON is in use: kdamond 1' /run/busy.log &&
    [ "$(cat $k/1/state)" = on ]
}
check "another program's kdamond runs: refused, and it keeps running" busy
stopped() { echo off >$k/1/state && echo 0 >$k/nr_kdamonds; }
check "... until its owner stops it" stopped
echo "1..$nr"
