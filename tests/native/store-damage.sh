#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The file behind the store is overwritten while a guest runs: the guest never
# reads the wrong data, nor waits for ever. It is ended, and the reason is
# reported.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
require_faults

overwrite_file() { # of the store; it has no name any more, but a descriptor
  for _fd in /proc/"$vmm_pid"/fd/*; do
    case $(readlink "$_fd") in
    "$tmp"/far*)
      dd if=/dev/urandom of="$_fd" bs=1M count=256 conv=notrunc 2>/dev/null
      return ;;
    esac
  done
  return 1
}

# In a memfd, which always has a source.
payload_start "pattern=phase hot=10% phase_ms=8000 seconds=100000" \
  --mem 192M --cpus 2 --socket "$socket" --abits soft --mem-backing memfd \
  --reclaim target=64M,period=500ms,idle=2,cpu=50 \
  --sink "store,codec=none,mem=16M,file=$tmp/far,size=512M"
is_far() { [ "$(stat_of .store.nr_far)" -ge 10000 ]; }
wait_for 120 is_far
ok $? "10,000 pages are in the file"
overwrite_file
ok $? "it is overwritten"
# Then it looks at all of its pages.
payload_end_run
has_ended() { ! kill -0 "$vmm_pid" 2>/dev/null; }
wait_for 300 has_ended
ok $? "the guest ends"
status=0
has_ended || kill "$vmm_pid"
wait "$vmm_pid" || status=$?
vmm_pid=
sed 's/^/# /' "$tmp/stderr"
is "$status" 5 "as one that crashed"
grep -q 'frame 0x[0-9a-f]* is damaged' "$tmp/stderr"
ok $? "why is reported"
is "$(event summary errors)" "" "it has not come to its end, nor read what is wrong"
done_testing
