#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# DAMON as an access source, on real nested page tables: exactness, and that
# it leaves DAMON as it was.  Debian's packaged kernels have it since 6.12.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
# The test's own choice, an installed one, or one unpacked for the lab.
kernel=${VMM_DAMON_KERNEL-}
for k in /boot/vmlinuz-6.1[2-9]*-amd64 /boot/vmlinuz-[7-9]*-amd64; do
  case $k in
  *-cloud-*) ;; # no 9p, by which the machine gets its root
  *) [ ! -e "$k" ] || [ -n "$kernel" ] || kernel=$k ;;
  esac
done
[ -n "$kernel" ] || kernel=$("$abs_top_srcdir/tests/lab/kernel/get-kernel" \
  --cached 2>"$tmp/why") || skip_all "$(cat "$tmp/why")"
truth=$abs_top_builddir/tests/native/abits-truth
# One CPU: attaching to tracepoints rewrites kernel code that other CPUs run,
# which QEMU's emulator gets wrong now and then (seen: an oops in int3).
lab_exec --kernel "$kernel" --timeout 250 --smp 1 \
  sh "$abs_top_srcdir/tests/lab/abits-inside.sh" "$truth" damon
