# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: one guest without any scanning, so that nobody else clears bits.
. "${abs_top_srcdir:-.}/tests/functions.sh"
agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent
vmm_pid=
on_exit() { [ -z "$vmm_pid" ] || kill "$vmm_pid" 2>/dev/null; }
# A bzImage puts the kernel at a random address, where the agent must find it; an
# unpacked one does not.
kernel=$(printf '%s\n' /boot/vmlinuz-*-amd64 | sort -V | tail -n 1)
cd "$tmp" || exit 1

# This machine is a guest as well: two ways that share nothing tell the same.
for way in bpf kcore; do
  "$agent" --dump --pgd $way 2>messages >"$way.all" || sed 's/^/# /' messages
  sed -n 's/^process \([0-9]*\) .* page table /\1 /p' "$way.all" |
    sort >"$way.roots"
done
join bpf.roots kcore.roots >both.roots	# less those that ended or began
sed -n '1s/^/# /p' bpf.all
[ "$(wc -l <both.roots)" -ge 3 ]
ok $? "both ways find page tables of processes"
is "$(awk '$2 != $3' both.roots)" "" "of each process the same"
is "$(sed -n '1s/.*features //p' kcore.all)" \
  "$(sed -n '1s/.*features //p' bpf.all)" "and as many levels"
mkfifo input
exec 9<>input
"$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" \
  --cmdline "console=ttyS0 quiet panic=-1" --mem 256M --abits none \
  --socket "$tmp/socket" <input >console 2>messages &
vmm_pid=$!

api() { # PATH [CURL-OPTION...]
  _path=$1
  shift
  curl -sS --max-time 20 --unix-socket "$tmp/socket" "$@" "http://vmm$_path"
}
stat_of() { value_of "$tmp/socket" /stats "$1"; }
answers() { grep -c "^$1" console; }
more_answers() { [ "$(answers "$1")" -gt "$2" ]; }
command_guest() { # TEXT ANSWER
  _had=$(answers "$2")
  echo "$1" >&9
  wait_for 100 more_answers "$2" "$_had"
}
epoch_is() { [ "$(stat_of .agent.epoch)" -ge "$1" ]; }
give_up() {
  tr -d '\r' <console | tail -n 30 | sed 's/^/# console: /'
  sed 's/^/# messages: /' messages
  done_testing
  exit 1
}

wait_for 120 more_answers 'G ready' 0 || guest_hung console messages
command_guest where 'T page'
# shellcheck disable=SC2046 # words
set -- $(tr -d '\r' <console | sed -n 's/^T page //p' | tail -n 1)
parent=$1 child=$2 gfn=$3 address=$4

referenced() { # [mapcount, mappings, count, who]
  api "/referenced/$gfn" --request POST |
    jq -c '[.mapcount, .nr_mappings, .nr_referenced,
      (.referenced_by | map(.pid) | sort)]'
}
known() {
  [ "$(value_of "$tmp/socket" "/process/$parent" .has_pgd)" = true ] &&
    [ "$(value_of "$tmp/socket" "/process/$child" .has_pgd)" = true ] &&
    [ "$(value_of "$tmp/socket" "/page/$gfn" .mapcount)" = 1 ]
}
# Touched by WHO: COUNT and the pids
check() { # WHO COUNT PIDS
  command_guest none 'T done'
  referenced >/dev/null		# clears
  command_guest "$1" 'T done'
  is "$(referenced)" "[1,2,$2,[$3]]" "$way: touched by $1: $2"
  is "$(referenced)" "[1,2,0,[]]" "$way: then by none, though mapped twice"
}
for way in bpf kcore; do
  [ $way = bpf ] || {
    command_guest agent-kcore 'G agent'
    # What the one before said is forgotten by the first full report; reports are
    # counted from 0 again.
    connected_again() { [ "$(stat_of .agent.nr_connections)" = 2 ]; }
    wait_for 100 connected_again
    ok $? "the agent is restarted"
  }
  wait_for 100 epoch_is 2 && wait_for 300 known
  ok $? "$way: both processes' page tables are known"
  check parent 1 "$parent"
  check child 1 "$child"
  check both 2 "$parent,$child"
  command_guest none 'T done'
  is "$(referenced)" "[1,2,0,[]]" "$way: touched by none: 0"
done
command_guest parent 'T done'
"$vmm" inspect --socket "$tmp/socket" referenced "$gfn" >shown
sed 's/^/# /' shown
is "$(sed -n 's/^used *pid \([0-9]*\) .* at \(.*\)$/\1 \2/p' shown)" \
  "$parent $(printf '0x%x' "$address")" "vmm inspect referenced names it"
"$vmm" inspect --socket "$tmp/socket" map "$parent" "$(printf %x "$address")" \
  >map
sed 's/^/# /' map
like "$(cat map)" 'dirty' "vmm inspect map shows its state"
"$vmm" inspect --socket "$tmp/socket" pid "$parent" >process
sed 's/^/# /' process
like "$(cat process)" 'page table root known' "vmm inspect pid knows the tables"
is "$(stat_of .agent.nr_rejected)" 0 "no message was refused"
echo end >&9
(sleep 600; kill -KILL "$vmm_pid") >/dev/null 2>&1 &
watch=$!
status=0
wait "$vmm_pid" || status=$?
kill "$watch" 2>/dev/null
vmm_pid=
is "$status" 0 "the guest ends"
tr -d '\r' <console | sed -n 's/^G said /# agent: /p'
[ "$nr_failed" = 0 ] || give_up
done_testing
