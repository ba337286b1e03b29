# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: a guest of 208 MiB that has read 48 MiB from its disk and has
# 24 MiB in tmpfs.
. "${abs_top_srcdir:-.}/tests/functions.sh"
vmm_pid=
on_exit() { [ -z "$vmm_pid" ] || kill "$vmm_pid" 2>/dev/null; }
kernel=$LAB_GUEST_KERNEL
cd "$tmp" || exit 1
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1
mkdir files
head -c 48M /dev/urandom >files/file
sum=$(md5sum <files/file)
mke2fs -q -t ext4 -d files disk 64M || exit 1
rm -r files
mkfifo input
exec 9<>input
"$vmm" run --kernel "$kernel" --initrd "$LAB_OUT/guest.cpio" --disk disk,ro \
  --cmdline "console=ttyS0 quiet panic=-1" --mem 208M \
  --abits kvm-young --reclaim period=500ms,cpu=50 --socket "$tmp/socket" \
  <input >console 2>messages &
vmm_pid=$!

stat_of() { value_of "$tmp/socket" /stats "$1"; }
says() { grep -q "^$1" console; }
give_up() {
  tr -d '\r' <console | tail -n 30 | sed 's/^/# console: /'
  sed 's/^/# messages: /' messages
  done_testing
  exit 1
}
at_most() { # BYTES: resident
  _resident=$(stat_of .memory.resident_bytes)
  [ -n "$_resident" ] && [ "$_resident" -le "$1" ]
}
idle_cache() { # BYTES of page cache are known, and idle
  _pages=$(stat_of .kept.idle_clean)
  [ -n "$_pages" ] && [ $((_pages * 4096)) -ge "$1" ]
}
reclaimed() { stat_of ".reclaimed.$1"; }

wait_for 240 says "G read $sum" || guest_hung console messages
ok 0 "the guest has read its file"
wait_for 100 idle_cache $((40 << 20))
ok $? "the host sees that its page cache is clean and idle"

# The file is read again.  The host keeps the agent's last report, so this must say
# that the file is in memory.
nr_reads=0
read_again() { # sets back
  "$vmm" policy --socket "$tmp/socket" target=208M >/dev/null
  echo again >&9
  nr_reads=$((nr_reads + 1))
  has_read() { [ "$(grep -c "^G again $sum" console)" = $nr_reads ]; }
  back=0
  wait_for 120 has_read || back=1
  wait_for 100 idle_cache $((40 << 20)) || back=1
}

# 36 MiB less: dropping cache alone suffices for that.
come_down() { # sets down, and in pages: asked (requested), clean, evicted
  resident=$(stat_of .memory.resident_bytes)
  target=$((resident - (36 << 20)))
  asked=$(reclaimed cache_requested) clean=$(reclaimed clean_file)
  evicted=$(stat_of .engine.nr_evicted)
  "$vmm" policy --socket "$tmp/socket" "target=$((target >> 20))M" >/dev/null
  down=0
  wait_for 100 at_most $((target + (2 << 20))) || down=1
  asked=$(($(reclaimed cache_requested) - asked))
  clean=$(($(reclaimed clean_file) - clean))
  evicted=$(($(stat_of .engine.nr_evicted) - evicted))
  echo "# resident $((resident >> 20)) MiB, now" \
    "$(($(stat_of .memory.resident_bytes) >> 20)); asked for $asked pages of cache," \
    "in all $(reclaimed free_requested) of free memory; given back" \
    "$(($(stat_of .memory.discarded_bytes) >> 20)) MiB; evicted $evicted:" \
    "$(stat_of '.reclaimed | tostring')"
}
by_the_guest() {
  [ "$asked" -gt 0 ] && [ "$clean" = 0 ] && [ "$evicted" -lt $((9216 / 5)) ]
}
# A guest that has freed little after 5 s of the host's time counts as unresponsive,
# and other pages are evicted.  On a busy machine an emulated guest may be as slow as
# that.  Then this is repeated when the next request is due: after 10 s, or after 20 s
# if it freed nothing twice.
for round in 1 2 3 4; do
  come_down
  if [ $down != 0 ] || by_the_guest || [ $round = 4 ]; then break; fi
  echo "# round $round: the guest gave too little in time, load" \
    "$(cut -d' ' -f1-3 /proc/loadavg)"
  read_again
  sleep 60
done
ok "$down" "resident memory drops by 36 MiB"
[ "$asked" -gt 0 ]
ok $? "the guest was asked to drop page cache"
is "$clean" 0 "none of it was written to swap"
[ "$evicted" -lt $((9216 / 5)) ]
ok $? "less than a fifth of it came from elsewhere"

# The control: without an agent to ask, the same is swapped out.
read_again
ok "$back" "the host sees that the guest has read its file again"
clean=$(reclaimed clean_file)
echo agent-stop >&9
wait_for 100 says "G stopped"
"$vmm" policy --socket "$tmp/socket" "target=64M" >/dev/null
wait_for 120 at_most $((80 << 20))
ok $? "without an agent it drops, too"
[ $(($(reclaimed clean_file) - clean)) -gt 2500 ]
ok $? "control: then page cache is written to swap"
echo "# evicted: $(stat_of '.reclaimed | tostring')"

echo end >&9
wait_for 120 says "G intact"
ok $? "what was in memory only is intact" || give_up
wait "$vmm_pid"
is $? 0 "the guest powers off"
vmm_pid=
done_testing
