# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guest: a file on a disk, which is read, and one in memory.
mount -t ext4 -o ro /dev/vda /mnt
vmm-guest-agent --interval 500 2>/dev/null &
agent=$!
head -c 24m /dev/urandom >/tmp/anon
before=$(md5sum </tmp/anon)
echo "G read $(md5sum </mnt/file)"
while read -r line; do
  case $line in
  again) echo "G again $(md5sum </mnt/file)" ;;
  agent-stop) kill -KILL $agent; wait $agent 2>/dev/null; echo "G stopped" ;;
  end) break ;;
  esac
done
[ "$before" = "$(md5sum </tmp/anon)" ] && echo "G intact"
