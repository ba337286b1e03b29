#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm libvirt against libvirt's QEMU driver, with emulated guests: what it adds
# to a domain appears, works, and is removed without a trace.
. "${abs_top_srcdir:-.}/tests/native/libvirt-functions.sh"
libvirt_require

# The driver that libvirt has for tests forgets all between two connections.
vl() { "$vmm" libvirt --connect "$uri" "$@"; }
"$vmm" libvirt --connect test:///default enable test --print >"$tmp/out" 2>&1
is $? 0 "libvirt's test driver: a change can be shown"
like "$(cat "$tmp/out")" "^\+ +<target type='virtio' name='org.vmm.agent.0'/>" \
  "with the channel as an addition"
"$vmm" libvirt -c test:///default enable test -y --reclaim target=1G \
  >"$tmp/out" 2>&1
is "$? $(grep -c 'definition of domain test was changed' "$tmp/out")" "0 1" "and made"
"$vmm" libvirt -c nonsense:///x show test >/dev/null 2>"$tmp/why"
is "$? $(grep -c "cannot connect to libvirt (nonsense:///x): " "$tmp/why")" \
  "1 1" "a URI that leads nowhere is named"
for form in -cnonsense:///x "-jc nonsense:///x" "-j -c nonsense:///x" \
  --connect=nonsense:///x; do
  # shellcheck disable=SC2086 # words
  "$vmm" stat $form >/dev/null 2>"$tmp/why"
  is "$? $(grep -c "cannot connect to libvirt (nonsense:///x): " "$tmp/why")" \
    "1 1" "stat takes $form for a libvirt"
done
for bad in "show" "enable" "destroy x" "show x y" "disable x --abits auto" \
  "show x --yes" "enable x --reclaim nonsense" "enable x --abits nonsense" \
  "enable x --agent nonsense" "enable x --nonsense"; do
  # shellcheck disable=SC2086 # words
  vl $bad >/dev/null 2>"$tmp/why"
  is "$? $(test -s "$tmp/why"; echo $?)" "2 0" "refused: $bad"
done

libvirt_start
vl show nobody >/dev/null 2>"$tmp/why"
is "$? $(grep -c "no domain 'nobody'.*virsh" "$tmp/why")" "1 1" \
  "a domain that is not there: told how to list them"

# With devices of its own, and, below, all of its ports taken: libvirt has to
# add one for the controller.
domain_xml full q35 <<END >"$tmp/full"
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <graphics type='vnc' port='-1' passwd='5ecret'/>
END
domain_xml plain pc </dev/null >"$tmp/plain"
domain_xml serial pc <<END >"$tmp/serial"
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
END
# Things that must stay as they are.
kept="<description>a 'b' \\&amp; c</description>"
kept="$kept<metadata><o:x xmlns:o='urn:other'><o:y>1</o:y></o:x></metadata>"
sed -i "s,<vcpu>,$kept&," "$tmp/serial"
for d in full plain serial; do
  lv define "$tmp/$d" >/dev/null || {
    ok 1 "libvirt takes the domain $d"
    done_testing
    exit 1
  }
done
echo "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>" \
  >"$tmp/rng"
lv attach-device full "$tmp/rng" --config >/dev/null # the spare port's
now() { lv dumpxml --inactive --security-info "$1"; }
for d in full plain serial; do
  now $d >"$tmp/$d.before"
done
ports() { grep -c "model='pcie-root-port'"; }

vl enable plain --print --reclaim target=32M >"$tmp/out"
is "$? $(grep -c '^+ ' "$tmp/out") $(grep -c '^- ' "$tmp/out")" "0 8 0" \
  "--print: eight lines come, none goes"
is "$(now plain)" "$(cat "$tmp/plain.before")" "and nothing has changed"
vl enable plain </dev/null >"$tmp/out" 2>"$tmp/why"
is "$? $(grep -c -- --yes "$tmp/why")" "1 1" \
  "where nobody can be asked it names --yes"
is "$(now plain)" "$(cat "$tmp/plain.before")" "and leaves all as it is"
printf 'n\n' | script -qec "$vmm libvirt -c '$uri' enable plain" /dev/null \
  >"$tmp/out" 2>&1
like "$(cat "$tmp/out")" 'was not changed' "it asks; answered with no"
is "$(now plain)" "$(cat "$tmp/plain.before")" "it stays"
printf 'y\n' | script -qec "$vmm libvirt -c '$uri' enable plain" /dev/null \
  >"$tmp/out" 2>&1
like "$(now plain)" "name='org.vmm.agent.0'" "answered with yes, it does it"
vl disable plain --yes >/dev/null
is "$(now plain)" "$(cat "$tmp/plain.before")" "and undoes it"

for d in full plain serial; do
  vl enable $d --yes --reclaim target=32M,idle=4 --abits soft >"$tmp/out" 2>&1
  is $? 0 "$d: enabled"
  grep -q 5ecret "$tmp/out"
  is $? 1 "$d: no secret is shown"
  now $d >"$tmp/after"
  like "$(tr -d '\n' <"$tmp/after")" \
    "<channel type='unix'> *<target type='virtio' name='org.vmm.agent.0'/>" \
    "$d: has the channel"
  is "$(lv metadata $d --uri urn:vmm:libvirt:1 --config |
    grep -o 'policy="[^"]*" abits="[^"]*"')" \
    'policy="target=32M,idle=4" abits="soft"' "$d: and the policy"
  like "$(vl show $d)" \
    '^defined +reclaim enabled, policy target=32M,idle=4, abits soft; agent: channel' \
    "$d: which is shown"
  [ $d != full ] || is "$(ports <"$tmp/after")" \
    $(($(ports <"$tmp/full.before") + 1)) "full: has one more port"
  vl enable $d --yes >"$tmp/out"
  like "$(cat "$tmp/out")" 'nothing to change' "$d: once more is nothing"
  is "$(now $d)" "$(cat "$tmp/after")" "$d: and changes nothing"
  vl enable $d --yes --reclaim target=48M >/dev/null
  is "$(now $d | diff "$tmp/after" - | grep -c '^>')" 1 \
    "$d: another policy changes a line"
  vl enable $d --yes --agent none >/dev/null
  now $d | grep -q org.vmm.agent
  is $? 1 "$d: it can do without the channel"
  vl enable $d --yes --agent vsock >/dev/null
  is "$(now $d | grep -cE "<vsock model|name='org.vmm.agent")" 1 \
    "$d: or with vsock"
  vl enable $d --yes --agent channel >/dev/null
  vl disable $d --yes >/dev/null
  is "$(now $d)" "$(cat "$tmp/$d.before")" "$d: disabled, all is as it was"
  vl disable $d --yes >"$tmp/out"
  like "$(cat "$tmp/out")" 'nothing to change' "$d: there is no more to do"
done
like "$(now serial)" "a 'b' &amp; c|a &apos;b&apos; &amp; c" "a description stays"

# Running: the channel is plugged if there is a controller for it.
lv start serial >/dev/null
ok $? "a domain is started"
vl enable serial --yes --reclaim target=32M >"$tmp/out"
is $? 0 "and enabled while it runs"
like "$(cat "$tmp/out")" '^running: plug a channel' "which is printed"
like "$(lv dumpxml serial | tr -d '\n')" \
  "path='[^']*/org.vmm.agent.0'/> *<target type='virtio' name='org.vmm.agent.0'" \
  "the running domain has the channel"
is "$(lv metadata serial --uri urn:vmm:libvirt:1 --live | grep -c target=32M)" \
  1 "and the policy"
path=$(vl show serial | sed -n 's/^socket *//p')
test -S "$path"
ok $? "it has a socket, which is shown"
vl enable serial --yes >"$tmp/out"
like "$(cat "$tmp/out")" 'nothing to change' "once more is nothing"
vl disable serial --yes >"$tmp/out"
is "$? $(lv dumpxml serial | grep -c org.vmm)" "0 0" "it is unplugged again"
is "$(lv dumpxml serial | grep -c "name='org.qemu.guest_agent.0'")" 1 "and the other one is not"
is "$(lv dumpxml serial | grep -c urn:vmm:libvirt:1)" 0 "nor is there metadata"
vl enable serial --yes --no-live >"$tmp/out"
is "$(lv dumpxml serial | grep -c org.vmm)" 0 "--no-live leaves it alone"
lv destroy serial >/dev/null
lv start serial >/dev/null
is "$(lv dumpxml serial | grep -c "'org.vmm.agent.0'")" 1 \
  "its next start has the channel"
vl disable serial --yes >"$tmp/out" 2>&1
is "$(lv dumpxml serial | grep -c org.vmm) $(now serial)" \
  "0 $(cat "$tmp/serial.before")" "which can be unplugged, too"
lv destroy serial >/dev/null

lv start plain >/dev/null
vl enable plain --yes >"$tmp/out"
is $? 0 "a running domain without a controller"
like "$(cat "$tmp/out")" 'no channel until the domain is restarted' "and printed"
lv destroy plain >/dev/null
vl disable plain --yes >/dev/null
is "$(now plain)" "$(cat "$tmp/plain.before")" "and gets back what it was"

# One that only runs.
sed 's,<name>serial,<name>passing,; /<uuid>/d' "$tmp/serial" >"$tmp/passing"
lv create "$tmp/passing" >/dev/null
vl enable passing --yes --reclaim on >"$tmp/out"
is "$? $(lv dumpxml passing | grep -c "'org.vmm.agent.0'")" "0 1" \
  "a domain without definition is enabled as it runs"
like "$(cat "$tmp/out")" 'is transient: only the running' "which is printed"
vl enable passing --yes --no-live >/dev/null 2>"$tmp/why"
is "$? $(grep -c 'no persistent definition' "$tmp/why")" "1 1" "and --no-live refused"
vl disable passing --yes >/dev/null
is "$(lv dumpxml passing | grep -cE 'org.vmm|urn:vmm')" 0 "and disabled"
lv destroy passing >/dev/null
done_testing
