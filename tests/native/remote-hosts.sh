#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Remote hosts: libvirt's domains over qemu+ssh, and sockets of VMs forwarded by
# ssh. The remote host is this one, through the test's own sshd.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
libvirt_require
require jq socat curl ssh:openssh-client ssh-keygen:openssh-client \
  sshd:openssh-server
require_root "the sshd of the test is started by root"
sshd='' tunnel='' attached='' server=''
name=fleet-$$
on_exit() {
  for _pid in $server $tunnel $attached $sshd; do
    kill "$_pid" 2>/dev/null
  done
  rm -f "/run/vmm/$name-far.sock"
  libvirt_cleanup
}
libvirt_start
domain_xml $name q35 </dev/null >"$tmp/$name.xml"
{ lv define "$tmp/$name.xml" && lv start $name; } >"$tmp/lv.log" 2>&1 || {
  sed 's/^/# /' "$tmp/lv.log"
  fail_all "libvirt does not start a domain: see above"
}

# --- the way there --------------------------------------------------------------
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$tmp/host-key"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/key"
cp "$tmp/key.pub" "$tmp/authorized"
# A program, as libvirt starts it too, and has no way to name another file of known
# hosts to ssh.
cat >"$tmp/ssh" <<END
#!/bin/sh
exec ssh -i "$tmp/key" -o "UserKnownHostsFile=$tmp/known" \
  -o StrictHostKeyChecking=yes -o BatchMode=yes "\$@"
END
chmod 700 "$tmp/ssh"
there() { "$tmp/ssh" -p $port root@127.0.0.1 true 2>>"$tmp/ssh.log"; }
# With its key known it is our own that says no, and it will not change its mind.
there_or_never() {
  there || grep -q 'Permission denied' "$tmp/ssh.log" || ! kill -0 $sshd
}
# By PAM: without it sshd refuses users whose password is locked, as root's may be.
# It fails if sshd ends, as when somebody has the port.
start_sshd() {
  echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$tmp/host-key.pub")" >"$tmp/known"
  cat >"$tmp/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $tmp/host-key
AuthorizedKeysFile $tmp/authorized
PermitRootLogin prohibit-password
AuthenticationMethods publickey
StrictModes no
UsePAM yes
PidFile none
END
  /usr/sbin/sshd -D -e -f "$tmp/sshd_config" 2>"$tmp/sshd.log" &
  sshd=$!
  wait_for 300 there_or_never
  kill -0 $sshd
}
{ at_free_port start_sshd && there; } || {
  sed 's/^/# /' "$tmp/sshd.log" "$tmp/ssh.log"
  fail_all "no way by ssh to this host itself: see above"
}
# Of a socket in another place than usual it asks nc there.
cat >"$tmp/nc" <<'END'
#!/bin/sh
[ "$1" != -q ] || exit 1
for word; do :; done
exec socat STDIO "UNIX-CONNECT:$word"
END
chmod 700 "$tmp/nc"
far="qemu+ssh://root@127.0.0.1:$port/session?command=$tmp/ssh&no_tty=1"
far="$far&netcat=$tmp/nc&socket=$tmp/lv/run/libvirt/libvirt-sock"

# --- libvirt there --------------------------------------------------------------
"$vmm" stat --connect "$far" >"$tmp/out" 2>"$tmp/err"
is $? 0 "stat: the domains of a host elsewhere"
sed 's/^/# /' "$tmp/out" "$tmp/err"
like "$(cat "$tmp/out")" "$name +64.0 MiB" "with their memory"
"$vmm" stat --connect "$far" --json >"$tmp/json" 2>"$tmp/err"
is "$(jq -r '.[0] | [.name, .memory.max_bytes, .memory.actual_bytes] | @csv' \
  "$tmp/json")" "\"$name\",67108864,67108864" "as JSON"
rss=$(jq '.[0].memory.rss_bytes' "$tmp/json")
[ "${rss:-0}" -gt 1000000 ]
ok $? "and what their process takes ($rss)"
"$vmm" stat --connect "$far" --connect test:///default --json |
  jq -r '.[].name' >"$tmp/names"
is "$(tr '\n' ' ' <"$tmp/names")" "$name test " "two hosts"
"$vmm" stat --connect "$far" --connect "qemu+ssh://root@127.0.0.1:1/system?no_tty=1" \
  >"$tmp/out" 2>"$tmp/err"
is $? 1 "a host that is not there: an error"
like "$(cat "$tmp/err")" "127.0.0.1:1/system.*refused" "which names it"
like "$(cat "$tmp/out")" "$name" "and the others are reported all the same"
"$vmm" stat --connect "$far" --wss >"$tmp/out" 2>"$tmp/err"
is $? 2 "what libvirt does not know can't be asked of it"

# What has not answered within three seconds is left out: another time, then.
rss_row="^vmm_domain_rss_bytes\{host=\"[^\"]+\",vm=\"$name\"\} [0-9]+$"
measured() { # sets rc
  rc=0
  "$vmm" metrics --connect "$far" \
    --connect qemu+ssh://root@127.0.0.1:1/system?no_tty=1 >"$tmp/out" 2>"$tmp/err" ||
    rc=$?
  grep -Eq "$rss_row" "$tmp/out"
}
wait_for 300 measured
is $rc 0 "metrics"
like "$(cat "$tmp/out")" "$rss_row" "of the domain"
is "$(grep -c '^vmm_host_up{connect=".*"} 1$' "$tmp/out")" 1 "one host is up"
is "$(grep -c '^vmm_host_up{connect=".*"} 0$' "$tmp/out")" 1 "one is not"
is "$(tail -n 1 "$tmp/out")" "# EOF" "to the end"

shown() { # ROW OPTION...: by top; sets rc
  _row=$1
  shift
  rc=0
  "$vmm" top --batch --iterations 1 "$@" >"$tmp/out" 2>"$tmp/err" || rc=$?
  grep -Eq -- "$_row" "$tmp/out"
}
wait_for 300 shown ":$name .* libvirt$" --connect "$far"
is $rc 0 "top"
like "$(cat "$tmp/out")" ":$name .* libvirt$" "shows the domain"
"$vmm" top --batch --iterations 1 --connect qemu+ssh://root@127.0.0.1:1/system?no_tty=1 \
  >"$tmp/out" 2>"$tmp/err"
sed 's/^/# /' "$tmp/err"
like "$(cat "$tmp/out")" "127.0.0.1:1/system.*refused" "a host that is not there"

# --- our own statistics from there ------------------------------------------------
"$vmm" attach --connect "$uri" $name --abits age-only --socket "$tmp/far.sock" \
  2>"$tmp/attach.log" &
attached=$!
served() { "$vmm" stat --socket "$tmp/far.sock" >/dev/null 2>&1; }
wait_for 300 served
ok $? "vmm serves the domain there"
mkdir -p -m 700 /run/vmm
"$tmp/ssh" -p $port -N -o ExitOnForwardFailure=yes \
  -L "/run/vmm/$name-far.sock:$tmp/far.sock" root@127.0.0.1 2>>"$tmp/ssh.log" &
tunnel=$!
here() { "$vmm" stat --name $name-far >"$tmp/out" 2>"$tmp/err"; }
wait_for 300 here
ok $? "its socket is forwarded: stat works as for a VM of this host"
like "$(cat "$tmp/out")" "guest    $name" "and is of the domain"
"$vmm" policy --name $name-far period=777ms >/dev/null 2>"$tmp/err"
is "$("$vmm" stat --name $name-far --json | jq .policy.scan_period_ms)" 777 \
  "so does policy"
wait_for 300 shown "$name .*(paused|on|no target)"
ok $? "top has it"
has_bytes() {
  "$vmm" metrics >"$tmp/out" 2>"$tmp/err"
  grep -q "^vmm_memory_bytes{vm=\"$name\"} 67108864$" "$tmp/out"
}
wait_for 300 has_bytes
like "$(cat "$tmp/out")" "^vmm_memory_bytes\{vm=\"$name\"\} 67108864$" "metrics, too"
serves_or_ended() { grep -q serving "$tmp/listen.log" || ! kill -0 $server; }
serve() {
  "$vmm" metrics --listen 127.0.0.1:$port --connect "$far" 2>"$tmp/listen.log" &
  server=$!
  wait_for 300 serves_or_ended && grep -q serving "$tmp/listen.log"
}
at_free_port serve
scraped() {
  curl -sS --max-time 120 "http://127.0.0.1:$port/metrics" 2>/dev/null |
    grep -q "^vmm_domain_actual_bytes{.*vm=\"$name\"} 67108864"
}
wait_for 300 scraped
ok $? "and by HTTP, with libvirt's"
done_testing
