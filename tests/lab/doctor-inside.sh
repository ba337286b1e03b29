# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# vmm doctor in a level-1 machine, before and after each obstacle: an answer and
# an exit status a case, in $LAB_OUT.
vmm=$1 module=$2
look() { # NAME
  "$vmm" doctor --json >"$LAB_OUT/$1.json" 2>"$LAB_OUT/$1.stderr"
  echo $? >"$LAB_OUT/$1.status"
}
swapoff -a
look bare
swapon /dev/zram0 || exit 1
insmod "$module" || exit 1
look whole
"$vmm" doctor >"$LAB_OUT/whole.text"

# No swap for our cgroup, however much the host has.
cgroup=/sys/fs/cgroup/noswap
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $cgroup && echo 0 >$cgroup/memory.swap.max || exit 1
(
  sh -c 'echo $PPID' >$cgroup/cgroup.procs
  look noswap
)

rmmod kvm_young
modprobe -r kvm_amd && modprobe kvm_amd npt=0 || exit 1
look shadow
modprobe -r kvm_amd kvm
rm -f /dev/kvm
look nokvm
