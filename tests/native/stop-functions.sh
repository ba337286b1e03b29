# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For tests that stop a vmm. It has two seconds of wall time to stop regularly,
# and then is killed (vmm/util/stop-guard.h): status 137. On a busy machine it
# may get no CPU time for that long, so one such end does not prove a fault of
# vmm; but a stop that hangs ends so every time. Source it after
# ../functions.sh.

status=

# has_ended PID: a zombie has, but remains until it is waited for.
has_ended() {
  _state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)
  [ -z "$_state" ] || [ "$_state" = Z ]
}

# until_orderly COMMAND...: COMMAND starts a vmm, stops it and sets status; again,
# three times in all, as long as it was killed.  status is that of the last.
until_orderly() {
  for _round in 1 2 3; do
    "$@"
    [ "$status" = 137 ] || return 0
    echo "# round $_round: not stopped in time, load $(cut -d' ' -f1-3 /proc/loadavg)"
  done
}

# is_stopped STATUS WANT NAME: where the stop is not what is tested
is_stopped() {
  [ "$1" != 137 ] || echo "# not stopped in time: $3"
  like "$1" "^($2|137)\$" "$3"
}
