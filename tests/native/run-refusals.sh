#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What `vmm run` refuses: the status, and a message with the cause and the
# remedy.
. "${abs_top_srcdir:-.}/tests/functions.sh"
payload=${abs_top_builddir:-build}/tests/payload/payload.elf

# refused STATUS PATTERN NAME OPTION...
refused() {
  _status=$1 _pattern=$2 _name=$3
  shift 3
  _got=0
  _said=$(timeout 300 "$vmm" run "$@" 2>&1 >/dev/null </dev/null) || _got=$?
  is "$_got" "$_status" "$_name: status"
  like "$_said" "$_pattern" "$_name: message"
}

printf 'not a kernel, only text\n' >"$tmp/text"
: >"$tmp/empty"
head -c 4000 "$payload" >"$tmp/cut"

# The command line.
refused 2 '--kernel FILE is missing' 'no kernel named'
refused 2 '--nosuch: unknown option' 'an unknown option' --nosuch
refused 2 '--kern: unknown option' 'a shortened option' --kern "$payload"
refused 2 "unexpected argument 'stray'" 'a stray word' --kernel "$payload" stray
refused 2 "--mem='lots' is not a size like 512M" 'memory that is no size' \
  --kernel "$payload" --mem lots
refused 2 "--mem='1M' is not .* of 16M or more" 'too little memory' --kernel "$payload" --mem 1M
refused 1 '--mem 900000G: the host has' 'memory beyond the host' \
  --kernel "$payload" --mem 900000G
refused 1 '--numa .* TiB: the host has' 'memory of nodes beyond the host' \
  --kernel "$payload" --numa node=0,mem=900000G --numa node=1,mem=16M
for cpus in 0 two 65; do
  refused 2 "--cpus='$cpus' is not a number of CPUs from 1 to 64" \
    "$cpus CPUs" --kernel "$payload" --cpus $cpus
done
refused 2 "--mem-backing='tph' is not anon .*: did you mean 'thp'" \
  'an unknown backing' --kernel "$payload" --mem-backing tph
refused 2 "--cid='4x' is not a number from 3 to " 'a vsock address that is no number' \
  --kernel "$payload" --cid 4x
refused 2 "--cid='2' is not a number from 3 to " 'the host'"'"'s vsock address' --kernel "$payload" --cid 2
refused 2 "--net: unknown key 'eth0': expected tap; give tap=NAME" 'a network that is no tap' \
  --kernel "$payload" --net eth0
refused 2 "--reclaim .*unknown key 'speed'" 'a policy of unknown words' \
  --kernel "$payload" --reclaim speed=9
refused 2 "--reclaim .*target=.* is not" 'a policy with a bad value' \
  --kernel "$payload" --reclaim target=abc
refused 2 "--reclaim low=2G,high=1G: low= and high=,.* must be given together" \
  'watermarks the wrong way round' --kernel "$payload" --reclaim low=2G,high=1G
refused 2 '--abits auto,faults=1: auto takes no options' 'options of no source' \
  --kernel "$payload" --abits auto,faults=1
help=$("$vmm" run --help 2>&1)
is "$?" 0 '--help: status'
for option in kernel initrd cmdline mem cpus disk net vsock cid name socket \
  abits reclaim no-agent mem-backing verbose; do
  case $help in
  *"--$option"*) ok 0 "--help tells --$option" ;;
  *) ok 1 "--help tells --$option" ;;
  esac
done

# The host.  /dev/kvm is hidden in a mount namespace of its own.
if unshare -m true 2>/dev/null; then
  said=$(unshare -m sh -c 'mount -t tmpfs none /dev && exec "$@"' - \
    "$vmm" run --kernel "$payload" 2>&1)
  is "$?" 1 'no /dev/kvm: status'
  like "$said" '/dev/kvm does not exist: load' 'no /dev/kvm: message'
else
  skip 'no /dev/kvm' 'no permission to make a mount namespace: run as root'
fi
# A user who may read the program, but is not in the group kvm.  The build
# directory may be in root's home; the node is one that nobody may open.
if [ "$(id -u)" = 0 ]; then
  chmod 755 "$tmp"
  cp "$vmm" "$payload" "$tmp"
  said=$(unshare -m sh -c 'mount -t tmpfs none /dev &&
    mknod -m 0 /dev/kvm c 10 232 && exec "$@"' - \
    setpriv --reuid 65534 --regid 65534 --clear-groups \
    "$tmp/vmm" run --kernel "$tmp/payload.elf" 2>&1)
  is "$?" 1 'no permission: status'
  like "$said" 'no permission for /dev/kvm: join' 'no permission: message'
else
  skip 'no permission for /dev/kvm' \
    'only root can become nobody: run as root'
fi

if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
  refused 1 "$tmp/absent: No such file" 'a kernel that is not there' \
    --kernel "$tmp/absent"
  refused 1 "$tmp/text is not a kernel: " 'a kernel that is text' \
    --kernel "$tmp/text"
  refused 1 "$tmp/empty: the file is empty" 'an empty kernel' --kernel "$tmp/empty"
  refused 1 "$tmp: it is not a regular file" 'a directory as kernel' --kernel "$tmp"
  refused 1 "$tmp/cut: .*(truncated|damaged)" 'a kernel cut short' \
    --kernel "$tmp/cut"
  refused 1 "$tmp/absent: No such file" 'an initrd that is not there' \
    --kernel "$payload" --initrd "$tmp/absent"
  truncate -s 64M "$tmp/big"
  refused 1 "$tmp/big .*does not fit.*--mem" 'an initrd beyond the memory' \
    --kernel "$payload" --mem 32M --initrd "$tmp/big"
  refused 1 "the command line has 70000 bytes" 'a command line too long' \
    --kernel "$payload" --cmdline "$(head -c 70000 /dev/zero | tr '\0' x)"
  refused 1 "$tmp/absent" 'a disk that is not there' --kernel "$payload" \
    --disk "$tmp/absent"
  refused 1 'name-too-long-for-a-tap' 'a tap that cannot be' \
    --kernel "$payload" --net tap=name-too-long-for-a-tap
  # Root might create them by opening them; the kernel would number tap%d.
  for tap in "vmx$$" 'tap%d' '%d' a/b; do
    refused 1 "no tap '$tap'.*ip tuntap add dev $tap mode tap" \
      "the tap $tap, which is not there" --kernel "$payload" --net "tap=$tap"
  done
  refused 1 "cannot open tap 'lo'" 'a network interface that is no tap' \
    --kernel "$payload" --net tap=lo
  refused 2 "unknown access source 'nosuchsource'" 'a source of accessed bits that is none' \
    --kernel "$payload" --abits nosuchsource --reclaim on
  for name in .. a/b; do
    refused 1 "'$name' is not a valid name of a VM" "the name '$name'" \
      --kernel "$payload" --abits none --name "$name"
  done
  refused 1 '--sink store,mem=64M: nothing will be evicted, as --abits none' \
    'a sink without a source' --kernel "$tmp/absent" --abits none \
    --sink store,mem=64M
  said=$("$vmm" run --kernel "$tmp/absent" --abits none 2>&1)
  case $said in
  *evicted*) ok 1 'neither source nor sink: no warning' ;;
  *) ok 0 'neither source nor sink: no warning' ;;
  esac
  # Each limit stops at another file: all say the same.
  for fds in 12 14 16 20 24 26; do
    status=0
    said=$(timeout 300 prlimit --nofile=$fds "$vmm" run --abits none \
      --kernel "$payload" --socket "$tmp/few.sock" 2>&1 >/dev/null \
      </dev/null) || status=$?
    is "$status" 1 "$fds open files: status"
    like "$said" 'the limit of open files is reached: raise it with ulimit -n' \
      "$fds open files: message"
    case $said in
    *"another path"*) ok 1 "$fds open files: no other remedy" ;;
    *) ok 0 "$fds open files: no other remedy" ;;
    esac
  done
  refused 1 '--abits is none' 'reclaim without accessed bits' \
    --kernel "$payload" --abits none --reclaim on
else
  skip 'kernels, disks and sources' \
    '/dev/kvm cannot be used: load kvm_intel or kvm_amd, join the group kvm'
fi
done_testing
