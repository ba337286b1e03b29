# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In a guest of QEMU: files in memory, most of them cold; a hot one is written
# anew and all are checked, again and again, until the host says "end".
mib=${FILES:-48}
mkdir /tmp/f
n=0
while [ $n -lt "$mib" ]; do
	dd if=/dev/urandom of=/tmp/f/$n bs=1M count=1 2>/dev/null
	n=$((n + 1))
done
(cd /tmp/f && md5sum -- *) >/tmp/sums
echo "G ready $mib"
round=0
(while read -r word; do [ "$word" != end ] || touch /tmp/end
	[ "$word" != check ] || touch /tmp/check; done </dev/console) &
while [ ! -e /tmp/end ]; do
	# Its processor must rest at times: emulated, it takes the host's from all else.
	dd if=/dev/urandom of=/tmp/hot bs=512K count=1 2>/dev/null
	a=$(md5sum </tmp/hot)
	sleep 1
	[ "$a" = "$(md5sum </tmp/hot)" ] || echo "G hot page lost"
	round=$((round + 1))
	if [ -e /tmp/check ]; then
		rm /tmp/check
		(cd /tmp/f && md5sum -c /tmp/sums 2>&1 | grep -v ': OK$')
		echo "G checked $round"
	fi
done
cd /tmp/f && md5sum -c /tmp/sums 2>&1 | grep -v ': OK$' | sed 's/^/G lost /'
echo "G end $round"
