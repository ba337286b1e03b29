# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In a domain of libvirt's: the agent, whose port may be plugged in later, a
# file of a disk read into page cache where there is one, and the files of
# attach-guest.sh, which are written and checked until the host says "end".
echo online_movable >/sys/devices/system/memory/auto_online_blocks 2>/dev/null
mkdir -p /dev/virtio-ports
# What udev does elsewhere.
port_is_there() {
	for name in /sys/class/virtio-ports/*/name; do
		port=${name%/name}
		ln -sf "/dev/${port##*/}" \
			"/dev/virtio-ports/$(cat "$name")" 2>/dev/null
	done
	[ -e /dev/virtio-ports/org.vmm.agent.0 ]
}
(until port_is_there; do sleep 1; done
exec vmm-guest-agent --interval 2000 2>/tmp/agent.log) &
if [ -b /dev/vda ]; then
	mount -t ext4 -o ro /dev/vda /mnt
	echo "G cached $(md5sum </mnt/file)"
fi
(mib=0
while :; do
	read -r _ kib _ </proc/meminfo # MemTotal; starts no process
	now=$((kib >> 10))
	[ "$now" = $mib ] || echo "G has $now MiB"
	mib=$now
	sleep 2
done) &
export FILES=32
. /work.sh
