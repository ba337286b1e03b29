#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Intel's format: the kvm-young module reads EPT accessed bits, in Bochs.  The
# ground-truth tests of kvm-young.sh, with less memory.  It takes minutes, so
# `make check-ept` runs it, and `make check` does not.
. "${abs_top_srcdir:-.}/tests/functions.sh"
ept=$srcdir/tests/lab/ept
missing=$("$ept" --missing | paste -s -d ' ')
[ -z "$missing" ] || fail_all "install these Debian packages: $missing"
require_kernel
require_headers "$release"

"$srcdir/vmm/kmod/build" "$srcdir/vmm/kmod" "$tmp/kmod" "$release" \
  >"$tmp/build.log" 2>&1
ok $? "the module builds without warnings against the headers of $release"
[ "$nr_failed" = 0 ] || { sed 's/^/# /' "$tmp/build.log"; done_testing; exit 1; }
# Debug information is most of it, and the emulated CD is slow.
strip --strip-debug "$tmp/kmod/kvm_young.ko"

status=0
"$ept" --quiet --timeout "${VMM_EPT_TIMEOUT:-5400}" \
  ${VMM_EPT_CPU:+--cpu "$VMM_EPT_CPU"} \
  "$srcdir/tests/lab/ept-inside.sh" "$tmp/kmod/kvm_young.ko" \
  "$abs_top_builddir/tests/lab/kmod-truth" \
  "$abs_top_builddir/tests/native/abits-truth" \
  >"$tmp/output" 2>"$tmp/stderr" || status=$?
is "$status" 0 "the machine ran the tests"
sed 's/^/# stderr: /' "$tmp/stderr"
# What came until then is worth seeing in any case.
[ "$status" = 0 ] || sed 's/^/# output: /' "$tmp/output"

part() { sed -n "/^== $1\$/,/^== $1 exit/p" "$tmp/output" | sed '/^== /d'; }
ended() { sed -n "s/^== $1 exit //p" "$tmp/output"; }

part facts | sed 's/^/# /'
is "$(part facts | sed -n 's/^ept //p')" Y "KVM uses EPT"
is "$(part facts | sed -n 's/^eptad //p')" Y "with accessed and dirty bits"
is "$(part facts | sed -n 's/^tdp_mmu //p')" Y "in tables that can be walked"
is "$(ended insmod)" 0 "the module loads"

# The inner programs' results, under our own numbers.
for name in truth source without; do
  part "$name" >"$tmp/part"
  while read -r line; do
    case $line in
    'ok '*) ok 0 "$name: ${line#ok * - }" ;;
    'not ok '*) ok 1 "$name: ${line#not ok * - }" ;;
    1..*) ;;
    *) echo "# ${line#\# }" ;;
    esac
  done <"$tmp/part"
  is "$(ended "$name")" 0 "$name: ended well"
done
is "$(part eptad-off)" N "without accessed bits in EPT the module loads, too"
is "$(ended rmmod) $(ended rmmod-again)" "0 0" "the module unloads"
is "$(part complaints)" "" "the kernel logs no warning"
done_testing
