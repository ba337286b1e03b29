#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each option of each verb that names something, such as a file, is refused if
# the name is empty: with its own name, what it expects, and an example.  The
# options are those that --help shows with such a value.  Numbers of the agent are
# refused outside of their range.
. "${abs_top_srcdir:-.}/tests/functions.sh"

named_options() { # VERB: "OPTION KIND" lines
  "$vmm" "$1" --help | grep -Eo -e \
    '^ +(-., )?--[a-z-]+[ =](FILE(\[,ro\])?|PATH|SOCKET|DIR|URI|NAME|HOST:PORT) ' |
    sed 's/.*--/--/; s/=/ /'
}

count=0
for verb in $("$vmm" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
  named_options "$verb" >"$tmp/options"
  while read -r option kind; do
    count=$((count + 1))
    said=$(timeout 60 "$vmm" "$verb" "$option" '' 2>&1 </dev/null)
    is "$?" 2 "$verb $option '': status"
    case $said in
    "vmm: error: $option: the value is empty: give $kind ("*"), for example $option "[!\ ]*)
      ok 0 "$verb $option '': message" ;;
    *)
      ok 1 "$verb $option '': message"
      echo "# $said" ;;
    esac
  done <"$tmp/options"
done
ok $((count < 20)) "there are such options: $count"

said=$(timeout 60 "$vmm" run --kernel x --disk ,ro 2>&1)
is "$?" 2 "a disk without path: status"
like "$said" '--disk: the value is empty: give FILE' \
  'a disk without path: message'
said=$(timeout 60 "$vmm" stat --connect qemu:///system --connect '' 2>&1)
is "$?" 2 'the second of two is empty: status'
like "$said" '--connect: the value is empty: give URI' \
  'the second of two is empty: message'
said=$(timeout 60 "$vmm" run --kernel x --cmdline '' --name '' 2>&1)
like "$said" '--name: the value is empty' 'a text may be empty'

agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent
for option in --serial --unix; do
  said=$(timeout 60 "$agent" $option '' 2>&1)
  is "$?" 2 "the agent's $option '': status"
  like "$said" "$option: the value is empty: give PATH" \
    "the agent's $option '': message"
done
for port in -1 0; do
  said=$(timeout 60 "$agent" --port $port --once 2>&1)
  is "$?" 2 "the agent's --port $port: status"
  like "$said" "--port $port: must be from 1 to 2147483647" \
    "the agent's --port $port: message"
done
said=$(timeout 60 "$agent" --fd -2 --once 2>&1)
is "$?" 2 "the agent's --fd -2: status"
like "$said" '--fd -2: must be an open file descriptor' \
  "the agent's --fd -2: message"
done_testing
