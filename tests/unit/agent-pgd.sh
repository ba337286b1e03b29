#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The agent finds page tables on this machine's kernel, whichever it is: each
# process has its own, and a new one after exec. The agent itself verifies them
# with its own pages before it sends any.
. "${abs_top_srcdir:-.}/tests/functions.sh"
agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent
require_root "only root may look into the kernel"
[ -r /sys/kernel/btf/vmlinux ] || skip_all "the kernel has no BTF"

dump() { # FILE
  "$agent" --dump --pgd bpf >"$1" 2>"$tmp/messages"
}
root_of() { # FILE PID
  sed -n "s/^process $2 .* page table \\(0x[0-9a-f]*\\)\$/\\1/p" "$1"
}
if ! dump "$tmp/first"; then
  grep -q 'BPF program.*not permitted\|PID namespace' "$tmp/messages" &&
    skip_all "$(cat "$tmp/messages")"
  sed 's/^/# /' "$tmp/messages"
fi
mkfifo "$tmp/go"
# exec leaves the pid and takes another address space.
sh -c 'read -r _ <"$0"; exec sleep 600' "$tmp/go" &
pid=$!
sleep 600 &
other=$!
on_exit() { kill $pid $other 2>/dev/null; }
# Each has done its first exec: before, it is a fork of this shell, with a page
# table that is freed.
runs() { # PID WORDS: its command line begins so, from exec on
  tr '\0' ' ' <"/proc/$1/cmdline" | grep -q "^$2 "
}
wait_for 300 runs $pid 'sh -c' && wait_for 300 runs $other 'sleep 600'
ok $? "two processes run"
dump "$tmp/before"
ok $? "page tables are reported"
before=$(root_of "$tmp/before" $pid)
like "$before" '^0x[0-9a-f]*000$' "a process has one, at the start of a page"
second=$(root_of "$tmp/before" $other)
like "$second" '^0x[0-9a-f]*000$' "so has another process"
[ "$second" != "$before" ]
ok $? "which is not the same"
echo go >"$tmp/go"
wait_for 300 runs $pid 'sleep 600'
dump "$tmp/after"
after=$(root_of "$tmp/after" $pid)
like "$after" '^0x[0-9a-f]*000$' "after exec it has one"
[ "$after" != "$before" ]
ok $? "which is new"
is "$(root_of "$tmp/after" $other)" "$second" "that of the other is the same"
done_testing
