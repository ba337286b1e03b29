# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2010,SC2012
# In the guest: shows what it is, and ends as its command line says (end=...).
echo "R cpus $(grep -c ^processor /proc/cpuinfo)"
echo "R hypervisor $(grep -cw hypervisor /proc/cpuinfo)"
echo "R clock $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "R acpi $(ls /sys/bus/acpi/devices | grep -c LNRO0005)"
echo "R virtio $(ls /sys/bus/virtio/devices | wc -l)"
echo "R uptime $(cut -d' ' -f1 /proc/uptime)"
case $(cat /proc/cmdline) in
*end=poweroff*) exit 0 ;;
*end=reboot*) reboot -f ;;
*end=panic*) echo c >/proc/sysrq-trigger ;;
*end=echo*)
  echo "R ready"
  read -r line
  echo "R heard $line" ;;
*end=stay*)
  echo "R ready"
  sleep 1000 ;;
esac
