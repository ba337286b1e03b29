# SPDX-License-Identifier: GPL-2.0-or-later
# In the guest: says "R STATUS NAME" for each thing tried, and "S STEP" where
# the host has something to do.
r() { echo "R $1 $2"; }
want=$(cat /md5)

grep -q virtio /sys/class/misc/hw_random/rng_current
r $? 'rng: the guest uses the device'
[ "$(head -c 200 /dev/hwrng | wc -c)" = 200 ]
r $? 'rng: yields bytes'

[ "$(cat /sys/block/vda/serial)" = disk.img ]
r $? 'blk: the serial number is the name of the image'
[ "$(dd if=/dev/vda bs=64k count=32 2>/dev/null | md5sum)" = "$want" ]
r $? 'blk: the disk reads right'
dd if=/blob of=/dev/vda bs=64k seek=64 conv=fsync 2>/dev/null
r $? 'blk: the disk can be written'
[ "$(cat /sys/block/vdb/ro)" = 1 ] &&
  ! dd if=/blob of=/dev/vdb bs=64k count=1 conv=fsync 2>/dev/null
r $? 'blk: the read-only disk refuses a write'

ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up &&
  ping -c 2 -W 10 192.0.2.1 >/dev/null
r $? 'net: ping to the host'
[ "$(nc 192.0.2.1 9000 </dev/null | md5sum)" = "$want" ]
r $? 'net: 2 MiB by TCP from the host'
nc 192.0.2.1 9001 </blob
r $? 'net: 2 MiB by TCP to the host are sent'

vsock-cat connect 2 1024 </blob
r $? 'vsock: 2 MiB to a unix socket of the host are sent'
! vsock-cat connect 2 4444 </dev/null 2>/dev/null
r $? 'vsock: a port nobody has refuses'
[ "$(vsock-cat listen 52 </dev/null | md5sum)" = "$want" ]
r $? 'vsock: 2 MiB from a host program that connects'
[ "$(echo world | vsock-cat listen 53)" = hello ]
r $? 'vsock: both directions of one connection'

dd if=/dev/zero of=/tmp/fill bs=1M count=100 2>/dev/null
echo S filled
vsock-cat listen 60 </dev/null
rm /tmp/fill
echo S freed
vsock-cat listen 61 </dev/null

# Open while it is read, or the last close drops the cache.
exec 3</dev/vda
dd if=/dev/vda of=/dev/null bs=1M 2>/dev/null
free() { sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo; }
before=$(free)
echo S cached
vsock-cat listen 62 </dev/null
after=$(free)
echo "# MemFree $before kB, with the balloon $after kB"
[ "$after" -lt $((before - 100000)) ]
r $? 'balloon: the guest has less free memory'
echo S inflated
vsock-cat listen 63 </dev/null
# Pages on their way to the host by free page reporting are not counted free
# until it has answered.
tries=0
deflated=$(free)
while [ "$deflated" -le $((after + 150000)) ] && [ $tries -lt 60 ]; do
  sleep 1
  tries=$((tries + 1))
  deflated=$(free)
done
echo "# MemFree $deflated kB after the balloon is gone"
[ "$deflated" -gt $((after + 150000)) ]
r $? 'balloon: and has it back afterwards'
