#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Reclaim under a running guest keeps its data: the payload writes and verifies
# its hot pages all the while, cold ones go to swap, and in the end every page
# is as it was last written.  Nothing here depends on speed: the waits end as
# soon as what is waited for has happened.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require
native_require_swap

target=$((128 << 20))
socket=$tmp/socket

resident_reached() {
  _resident=$(stat_of .memory.resident_bytes)
  [ -n "$_resident" ] && [ "$_resident" -le $((target + target / 20)) ]
}

# At 512 MiB, 10 % are hot in scattered single pages; the rest is never
# touched again until the end.
payload_start "pattern=hotcold hot=10% seconds=1000 agent=1 write=25 phase=0" \
  --mem 512M --cpus 1 --socket "$socket" --abits "${ABITS:-auto}" \
  --reclaim target=128M,period=500ms,idle=2,cpu=50
done_testing
