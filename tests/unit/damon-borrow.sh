#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The rule of tests/functions.sh for another program's kdamond: never touched
# unless its owner allows it, and then always returned.  On a directory laid out
# like DAMON's, since no test may take a real one.
. "${abs_top_srcdir:-.}/tests/functions.sh"
require flock:util-linux

VMM_TESTS_DAMON_DIR=$tmp/kdamonds VMM_TESTS_DAMON_RUN=$tmp/run
VMM_TESTS_LOCK_DIR=$tmp
export VMM_TESTS_DAMON_DIR VMM_TESTS_DAMON_RUN VMM_TESTS_LOCK_DIR
mkdir -p "$tmp/kdamonds/0" "$tmp/kdamonds/1" "$tmp/run"
echo 2 >"$tmp/kdamonds/nr_kdamonds"
echo on >"$tmp/kdamonds/0/state"
echo off >"$tmp/kdamonds/1/state"
states() { cat "$tmp/kdamonds/0/state" "$tmp/kdamonds/1/state" | tr '\n' ' '; }

cat >"$tmp/user" <<'EOT'
. "${abs_top_srcdir:-.}/tests/functions.sh"
damon_borrow
cat "$damon_dir/0/state" >"$1"
: >"$1.running"
[ "${2-}" != wait ] || while :; do sleep 0.1; done
ok 0 "used DAMON"
done_testing
EOT
borrow=VMM_TESTS_BORROW_DAMON

rm -f "$tmp/seen"
like "$(env -u $borrow sh "$tmp/user" "$tmp/seen")" \
  '^1\.\.0 # SKIP .*/0/state is on.*VMM_TESTS_BORROW_DAMON=1' \
  "without permission the test skips and names the variable"
[ ! -e "$tmp/seen" ]
ok $? "... before it uses DAMON"
is "$(states)" "on off " "... and the kdamond keeps running"
like "$(env $borrow=0 sh "$tmp/user" "$tmp/seen")" '^1\.\.0 # SKIP' \
  "any other value is no permission"

like "$(env $borrow=1 sh "$tmp/user" "$tmp/seen")" '^ok 1 - used DAMON' \
  "with permission the test runs"
is "$(cat "$tmp/seen")" off "... while the kdamond is paused"
is "$(states)" "on off " "... and is resumed at the end; what was off stays off"

for signal in HUP INT TERM; do
  rm -f "$tmp/seen" "$tmp/seen.running"
  # A shell's background jobs ignore INT unless told otherwise.
  env --default-signal=INT $borrow=1 sh "$tmp/user" "$tmp/seen" wait \
    >/dev/null 2>&1 &
  pid=$!
  wait_for 300 test -e "$tmp/seen.running"
  is "$(states)" "off off " "paused while a test runs"
  kill -s $signal $pid
  wait $pid 2>/dev/null
  is "$(states)" "on off " "... and on again after SIG$signal"
done

# A vmm has DAMON still, or again: it is waited for, also after a second signal.
rm -f "$tmp/seen" "$tmp/seen.running"
env $borrow=1 sh "$tmp/user" "$tmp/seen" wait >"$tmp/out" 2>&1 &
pid=$!
wait_for 300 test -e "$tmp/seen.running"
: >"$tmp/run/damon.saved"
kill $pid
sleep 6
kill $pid
ok $? "a vmm has DAMON: the test waits"
is "$(states)" "off off " "... and leaves the kdamond as it is"
rm "$tmp/run/damon.saved"
wait $pid 2>/dev/null
is "$(states)" "on off " "... which is on when the vmm has ended"
is "$(grep COULD "$tmp/out")" "" "... and nothing is complained of"

# While one borrows, the next waits for its turn and sees the kdamond on.
rm -f "$tmp/seen" "$tmp/seen.running"
env $borrow=1 sh "$tmp/user" "$tmp/seen" wait >/dev/null 2>&1 &
pid=$!
wait_for 300 test -e "$tmp/seen.running"
env -u $borrow sh "$tmp/user" "$tmp/second" >"$tmp/second.tap" 2>&1 &
second=$!
sleep 0.5
[ ! -s "$tmp/second.tap" ]
ok $? "a second test waits for the first"
kill $pid
wait $pid 2>/dev/null
wait $second
like "$(cat "$tmp/second.tap")" '^1\.\.0 # SKIP' \
  "... and does not take a paused kdamond for an idle DAMON"
is "$(states)" "on off " "... which is on in the end"
done_testing
