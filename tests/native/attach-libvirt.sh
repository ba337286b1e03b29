#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm attach with libvirt's QEMU driver and emulated guests: one domain,
# configured by its metadata; and all domains, through starts, stops, kills of
# the serving processes, and a restart of libvirt.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
. "$srcdir/tests/native/stop-functions.sh"
libvirt_require
require curl jq
require_root "the memory of others is root's to look at"
libvirt_start

attached=''
on_exit() {
  [ -z "$attached" ] || kill "$attached" 2>/dev/null
  libvirt_cleanup
}
# Sockets of --all are in the usual place, which is ours for once.
XDG_RUNTIME_DIR=$tmp
export XDG_RUNTIME_DIR
a=att-$$-a b=att-$$-b
for d in $a $b; do
  domain_xml $d q35 </dev/null >"$tmp/$d.xml"
  lv define "$tmp/$d.xml" >/dev/null || fail_all "libvirt does not take a domain"
  lv start $d >/dev/null || {
    sed 's/^/# /' "$tmp/libvirtd.log"
    fail_all "libvirt does not start a domain: see above"
  }
done
ns='--uri urn:vmm:libvirt:1 --key vmm'
set_policy() { # DOMAIN POLICY
  # shellcheck disable=SC2086 # words
  lv metadata "$1" $ns --live \
    --set "<reclaim policy='$2' abits='none'/>" >/dev/null
}
ask() { # SOCKET PATH
  curl -sS --max-time 120 --unix-socket "$1" "http://vmm$2" 2>/dev/null
}
one() { # sets status
  status=0
  timeout 300 "$vmm" attach --connect "$uri" "$@" >"$tmp/log" 2>&1 || status=$?
}
vms() { ask "$tmp/s" /vms; }

# --- one ----------------------------------------------------------------------
detach() { # sets status
  kill "$attached"
  status=0
  wait "$attached" || status=$?
  attached=''
}
attach_one() {
  "$vmm" attach --connect "$uri" $a --abits none --socket "$tmp/s" \
    2>"$tmp/log" &
  attached=$!
  wait_for 300 vms
}
attach_one
ok $? "attached by name"
sed 's/^/# /' "$tmp/log"
is "$(vms | jq -c '.[0] | [.name, .memory_bytes]')" "[\"$a\",67108864]" \
  "its name, and all of its memory"
is "$(ask "$tmp/s" /vms | jq '.[0].pid')" \
  "$(pgrep -f "guest=$a," | head -n 1)" "its process"
let_go() {
  [ -n "$attached" ] || attach_one
  detach
}
until_orderly let_go
is "$status" 0 "detached"
is "$(lv domstate $a)" running "it runs on"
is "$(lv dominfo $a | grep -ci taint)" 0 "and libvirt reports no change"

one nobody --abits none
is "$status $(grep -c "no domain 'nobody'" "$tmp/log")" "1 1" "no such domain"
set_policy $a 'target=nonsense'
one $a
is "$status" 1 "nonsense in the metadata: refused"
like "$(cat "$tmp/log")" "policy 'target=nonsense' in the domain's metadata" \
  "and named"
set_policy $a 'target=32M,idle=7'
one $a
is "$status" 1 "a policy in the metadata, but no accessed bits"
like "$(cat "$tmp/log")" "needs a source of accessed bits" \
  "the metadata is taken: it wants reclaim"
set_policy $a 'off'
set_policy $b 'off'

# --- all ----------------------------------------------------------------------
# -A in the middle of a word, and more words than anybody needs.
many=$(i=0 && while [ $i -lt 60 ]; do echo --verbose && i=$((i + 1)); done)
start_all() {
  # shellcheck disable=SC2086
  "$vmm" attach -vAc "$uri" $many --abits none 2>>"$tmp/all.log" &
  attached=$!
}
name_socket() { # DOMAIN
  for _s in "/run/vmm/$1.sock" "$tmp/vmm/$1.sock"; do
    [ ! -S "$_s" ] || echo "$_s"
  done
}
served() { ask "$(name_socket "$1")" /vms | grep -q "$1"; }
unserved() { ! served "$1"; }
server_of() { pgrep -P "$attached" -f "$(lv domuuid "$1")"; }
start_all
wait_for 300 served $a
ok $? "all: the first is served"
wait_for 300 served $b
ok $? "all: so is the second"
victim=$(server_of $a)
kill -9 "$victim"
other_server() { _p=$(server_of $a) && [ "$_p" != "$victim" ] && served $a; }
wait_for 300 other_server
ok $? "what serves one is killed: another does"
lv destroy $b >/dev/null
wait_for 300 unserved $b
ok $? "one is destroyed: it is detached"
served $a
ok $? "the other is not"
lv start $b >/dev/null
wait_for 300 served $b
ok $? "it starts again: it is served again"

n=0 lost=0
while [ $n -lt 10 ]; do
  n=$((n + 1))
  lv destroy $b >/dev/null
  lv start $b >/dev/null || lost=$((lost + 1))
  sleep 0.1
done
is "$lost" 0 "destroyed and started ten times"
# An attach of its own may have begun while it was destroyed, and tries again.
wait_for 600 served $b
ok $? "and served"

# --- one can't be served for a while ------------------------------------------
lv destroy $b >/dev/null
wait_for 300 unserved $b
# shellcheck disable=SC2086 # words
lv metadata $b $ns --config --set "<reclaim policy='nonsense' abits='none'/>" \
  >/dev/null
lv start $b >/dev/null
again() { grep -q "$(lv domuuid $b) ended with status 1: restarting it" "$tmp/all.log"; }
wait_for 300 again
ok $? "invalid metadata: the process that serves it ends, which is logged"
set_policy $b off
wait_for 300 served $b
ok $? "it is served once the metadata is right, without a new start"
# shellcheck disable=SC2086 # words
lv metadata $b $ns --config --set "<reclaim policy='off' abits='none'/>" \
  >/dev/null

# --- libvirt restarts ---------------------------------------------------------
kill "$libvirtd_pid"
wait "$libvirtd_pid" 2>/dev/null
sleep 0.5
served $a
ok $? "libvirt stops: guests are served on"
libvirt_start
lv destroy $b >/dev/null
wait_for 300 unserved $b
lv start $b >/dev/null
wait_for 300 served $b
ok $? "it is back: its domains are followed again"

# --- all of it is killed --------------------------------------------------------
kill -9 "$attached"
wait "$attached" 2>/dev/null
is "$(lv domstate $a) $(lv domstate $b)" "running running" \
  "killed: the domains run on"
wait_for 300 unserved $a
ok $? "and are not served by what is left"
serve_all() {
  start_all
  wait_for 300 served $a && wait_for 300 served $b
}
serve_all
ok $? "started again: they are served again"
let_all_go() {
  [ -n "$attached" ] || serve_all
  detach
}
until_orderly let_all_go
is "$status" 0 "ends at the signal"
unserved $a && unserved $b
ok $? "and all that it started"
[ "$nr_failed" = 0 ] || sed 's/^/# /' "$tmp/all.log"
done_testing
