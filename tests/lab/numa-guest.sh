# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In the guest: which nodes it sees, and where.
cd /sys/devices/system/node || exit 1
for node in node[0-9]*; do
  echo "R $node cpus $(cat "$node/cpulist")"
  # What its zones span: what is free of that depends on where the kernel is.
  echo "R $node pages $(awk -v want="${node#node}" \
    '/^Node/ { node = $2 + 0 } $1 == "spanned" && node == want { n += $2 }
     END { print n }' /proc/zoneinfo)"
  echo "R $node distance $(cat "$node/distance")"
done
echo "R srat $(ls /sys/firmware/acpi/tables/SRAT /sys/firmware/acpi/tables/SLIT |
  wc -l)"
echo "R ready"
read -r line
