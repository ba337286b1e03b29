# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guests of soak: `role=short` on the command line ends at once; the other
# has a hot and a cold process and obeys the console.
if grep -q role=short /proc/cmdline; then
	sleep 1
	echo "G short $(nproc)"
	exit 0
fi
vmm-guest-agent --interval 2000 >/dev/null 2>&1 &
workload hot 16 &
workload cold 96 &
cold=$!
while read -r word; do
	case "$word" in
	check) kill -USR1 "$cold" ;;
	off) break ;;
	esac
done
