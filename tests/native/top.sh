#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm top in a real terminal, with two guests, a socket that hangs, and one that
# a killed VM left behind.  What is on the screen is what tmux captures of it.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
payload_require
require tmux socat
LC_ALL=C.UTF-8
export LC_ALL
unset NO_COLOR
TERM=xterm-256color

# Two lines of one word each: a pane is never so narrow that they are cut.
a=top-$$-a b=top-$$-b
tmux() { command tmux -L "vmm-top-$$" -f /dev/null "$@"; }
pids=
on_exit() {
  tmux kill-server 2>/dev/null
  for _pid in $pids; do
    # A stopped one ends when it is continued.
    kill "$_pid" 2>/dev/null && kill -CONT "$_pid" 2>/dev/null
  done
  wait
  payload_cleanup
}

[ -p "$tmp/input" ] || mkfifo "$tmp/input"
exec 3<>"$tmp/input"
guest() { # NAME MEM SOCKET CMDLINE [OPTION...]
  _name=$1 _mem=$2 _socket=$3 _cmdline=$4
  shift 4
  "$vmm" run --kernel "$payload" --cmdline "$_cmdline seconds=100000" \
    --mem "$_mem" --name "$_name" --socket "$_socket" "$@" \
    >"$tmp/$_name.log" 2>&1 <"$tmp/input" &
  pids="$pids $!"
}
socket=$tmp/a
guest $a 48M "$tmp/a" "pattern=shared shared=2M agent=1" --abits soft \
  --reclaim off,period=500ms
pid_a=$!
guest $b 64M "$tmp/b" "pattern=hotcold hot=10%" --abits soft \
  --reclaim off,period=500ms
pid_b=$!
socat -u "UNIX-LISTEN:$tmp/hung,fork" OPEN:/dev/null &
pids="$pids $!"
has_report() { [ "$(stat_of .agent.epoch)" -ge 1 ]; }
wait_for $grace has_report || {
  sed 's/^/# /' "$tmp/$a.log"
  fail_all "the guests do not run: see above"
}

# Plain text.
options="--delay 0.5 --socket $tmp/a --socket $tmp/b --socket $tmp/hung"
# A guest that gets no processor for three seconds is silent, rightly.
row='48\.0 MiB .* [0-9.]+ +[0-9.]+ +paused$'
batch() { # sets batched
  batched=0
  # shellcheck disable=SC2086 # words
  "$vmm" top --batch -n 2 --sort NAME $options >"$tmp/batch" || batched=$?
  grep "^$a" "$tmp/batch" | tail -n 1 | grep -Eq "$row"
}
wait_for 300 batch
is "$batched" 0 "--batch ends well"
is "$(grep -c '^vmm top ' "$tmp/batch")" 2 "with as many looks as asked for"
# Other people's guests may be there, too.
is "$(grep -oE "^($a|$b|hung) " "$tmp/batch" | tr -d '\n')" \
  "hung $a $b hung $a $b " "it shows all, by name"
like "$(grep "^$a" "$tmp/batch" | tail -n 1)" "$row" \
  "with numbers, and rates from two looks"
like "$(grep '^hung ' "$tmp/batch" | tail -n 1)" 'silent$' \
  "a socket that hangs is silent, and the others are told of"
"$vmm" top --batch -n 1 --sort nonsense >/dev/null 2>"$tmp/why"
is "$? $(grep -c -- "--sort nonsense: no such column" "$tmp/why")" "2 1" \
  "a column that is none is refused"
"$vmm" top </dev/null >"$tmp/out" 2>"$tmp/why"
is "$? $(grep -c -- --batch "$tmp/why") $(wc -c <"$tmp/out")" "1 1 0" \
  "without a terminal it names --batch"

# In a terminal: each command of the shell in it leaves a mark in a file.
pane() { tmux capture-pane -p; }
shows() { pane | grep -Eq -- "$1"; }
see() { # PATTERN NAME
  wait_for 300 shows "$1"
  ok $? "$2" || :
  shows "$1" || pane | sed 's/^/# screen: /'
}
keys() { tmux send-keys "$@"; }
command_in_pane() { keys "$1" Enter; }
tmux new-session -d -x 150 -y 24 "PS1='mark> ' ENV= sh"
see '^mark>' "a shell in a terminal"
command_in_pane "stty -g >$tmp/stty1; echo before-it"
see '^before-it' "and what it showed before"
command_in_pane "$vmm top $options"
see "^$a .* 48.0 MiB " "one guest is on the screen"
see "^$b .* 64.0 MiB " "the other one, too"
see '^hung .* silent' "and the silent socket"
shows 'before-it'
is $? 1 "the screen is all its own"

by_line() { # of both guests, in the order of lines
  pane | grep -oE "^($a|$b)" | tr '\n' ' '
}
order_is() { [ "$(by_line)" = "$1" ]; }
sorted() { # KEY ORDER NAME
  keys "$1"
  wait_for 300 order_is "$2"
  ok $? "$3" || :
  order_is "$2" || echo "# got $(by_line)"
}
sorted N "$a $b " "N sorts by name"
sorted N "$b $a " "N again the other way round"
sorted N "$a $b " "and back"
sorted M "$b $a " "M by memory"
see 'by MEMORY' "which the first line says"
sorted '<' "$a $b " "< by the column before"
sorted '>' "$b $a " "> by the next"

# The selected one is what keys are about: go to it from the first on.
select_guest() { # NAME
  keys N Home
  for _i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    keys t
    wait_for 300 shows 'target for|has not answered|no policy' || return 1
    if shows 'target for'; then
      _found=1
      shows "target for $1," && _found=0
      keys Enter	# nothing typed: as it was
      [ $_found = 1 ] || return 0
    fi
    keys Down
  done
  return 1
}
select_guest $a
ok $? "arrows select a guest"
see 'Enter processes' "Enter leaves an empty prompt"
keys t 4 0 q Enter
see "'40q' is not a size" "a target that is no size is refused"
is "$(stat_of .policy.target_bytes)" 0 "and not set"
keys BSpace M Enter
target_is() { [ "$(stat_of .policy.target_bytes)" = "$1" ]; }
wait_for 300 target_is $((40 << 20))
ok $? "a target that is typed reaches the VM's policy"
is "$(stat_of .policy.enabled)" true "and turns reclaim on"
see "$a: reclaim on, target 40.0 MiB" "the answer is shown"
see "^$a .* 40.0 MiB " "and so is the target"
is "$(socket=$tmp/b; stat_of .policy.target_bytes)" 0 "the other guest has none"
keys p
enabled_is() { [ "$(stat_of .policy.enabled)" = "$1" ]; }
wait_for 300 enabled_is false
ok $? "p pauses reclaim"
see "^$a .* paused" "and that is shown"
keys p
wait_for 300 enabled_is true
ok $? "p again goes on"

keys Enter
see '^ +PID COMMAND .*EVICTED' "Enter shows processes"
see '^ +1000 payload ' "of the guest"
keys c
see '^ +(-|1000) payload ' "c joins them by command"
keys h
see 'vmm top: keys' "h helps"
keys x
see '^ +PID COMMAND' "and goes back where it was"
keys Escape
see "^$b " "Esc leaves the processes"

tmux resize-window -x 40 -y 6
see "^NAME +RESIDENT" "a small terminal shows what fits"
tmux resize-window -x 9 -y 2
see "^top-" "a tiny one a name"
tmux resize-window -x 150 -y 24
see '^host .* PSI ' "a larger one all again"

# Stop, and go on.
keys C-z
see '^mark> *$' "^Z gives the shell its terminal"
command_in_pane "clear; stty -g >$tmp/stty2; echo stopped"
see '^stopped' "which works"
is "$(cat "$tmp/stty2")" "$(cat "$tmp/stty1")" "with its settings"
command_in_pane 'fg; echo status $?'
see "^$a .* 48.0 MiB " "fg brings it back"

# One that hangs is silent, its last values stay, and it may recover.
kill -STOP $pid_b
see "^$b .* 64.0 MiB .* silent [0-9]+s" "a stopped guest is silent"
see "^$a .* (on|paused)" "and the other one goes on"
kill -CONT $pid_b
see "^$b .* 64.0 MiB .* paused" "it answers again when it goes on"

# Guests end: a named one stays on the screen.
kill $pid_b
wait $pid_b 2>/dev/null
see "^$b .* error" "a named guest that has ended is an error"
see "^$a .* (on|paused)" "and the other one goes on"
keys q
see '^status 0' "q leaves, with status 0"
command_in_pane "clear; stty -g >$tmp/stty3; echo after-q"
see '^after-q' "and the terminal is the shell's"
is "$(cat "$tmp/stty3")" "$(cat "$tmp/stty1")" "with its settings again"

# Found by itself.
guest top-$$-c 32M "$tmp/c" "pattern=hotcold hot=10%"
pid_c=$!
mkdir -p "$tmp/run/vmm"
found_dir=$tmp/run/vmm
if [ "$(id -u)" = 0 ]; then
  found_dir=/run/vmm
  mkdir -p $found_dir
fi
left=$found_dir/top-$$-dead.sock
socat -u "UNIX-LISTEN:$left" OPEN:/dev/null &
dead=$!
wait_for 300 test -S "$left"
kill -9 $dead
command_in_pane "clear; XDG_RUNTIME_DIR=$tmp/run NO_COLOR=1 $vmm top -d 0.5"
see '^vmm top ' "a screen without names"
ln -s "$tmp/c" "$found_dir/top-$$-c.sock"
see "^top-$$-c +.* 32.0 MiB " "a VM that comes is found by itself"
shows "top-$$-dead"
is $? 1 "the socket of a killed one is not shown"
tmux capture-pane -e -p >"$tmp/attributes"
grep -q "$(printf '\033')\[[0-9;]*3[0-7]m" "$tmp/attributes"
is $? 1 "NO_COLOR: no colours"
kill $pid_c
gone() { ! shows "^top-$$-c "; }
wait_for 300 gone
ok $? "a VM that ends leaves the screen"
rm -f "$found_dir/top-$$-c.sock" "$left"

keys q
see 'mark> *$' "q leaves this one, too"

# Signals.  What is killed may leave the terminal as it had it.
stop_top() { # COMMAND that stops it; sets status
  rm -f "$tmp/status"
  command_in_pane "clear; $vmm top $options; echo \$? >$tmp/status"
  wait_for 300 shows "^$a .* 48.0 MiB "
  "$1"
  wait_for 300 test -s "$tmp/status"
  status=$(cat "$tmp/status")
  [ "$status" != 137 ] || keys "stty $(cat "$tmp/stty1"); printf '\\033[?1049l'" C-j
}
terminate() { kill -TERM "$(pgrep -P "$(tmux display-message -p '#{pane_pid}')")"; }
interrupt() { keys C-c; }
until_orderly stop_top terminate
is "$status" 0 "SIGTERM ends it"
see 'mark> *$' "and the shell goes on"
command_in_pane "clear; stty -g >$tmp/stty4; echo after-term"
see '^after-term' "and puts the terminal back"
is "$(cat "$tmp/stty4")" "$(cat "$tmp/stty1")" "with its settings, too"
until_orderly stop_top interrupt
is "$status" 0 "^C ends it"
see 'mark> *$' "and the shell goes on"
command_in_pane "clear; stty -g >$tmp/stty5; TERM=dumb $vmm top 2>&1"
see "type 'dumb' cannot .*--batch" "for a dumb terminal the message names --batch"
is "$(cat "$tmp/stty5")" "$(cat "$tmp/stty1")" "after ^C settings are right"
command_in_pane "clear; stty -g >$tmp/stty6; echo end"
see '^end' "and after the dumb one"
is "$(cat "$tmp/stty6")" "$(cat "$tmp/stty1")" "as well"
done_testing
