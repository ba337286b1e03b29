# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# For the tests of tests/lab: a test runs on the host, prints TAP, and runs its
# inner part in a level-1 machine.  Source this; it sources ../functions.sh.
#
#   . "${abs_top_srcdir:-.}/tests/lab/functions.sh"
#   lab_require
#   lab_run sh "$srcdir/tests/lab/boot-inside.sh"
#   is "$lab_status" 0 "the guest booted"
#
# An inner part that prints TAP itself is the whole test with `lab_exec`.

. "${abs_top_srcdir:-.}/tests/functions.sh"
lab=${abs_top_srcdir:-$PWD}/tests/lab/lab
mkguest=${abs_top_srcdir:-$PWD}/tests/lab/mkguest

# What a level-1 machine needs; sets kernel and release (../functions.sh).  Inside,
# LAB_GUEST_KERNEL is the kernel for guests: the same, unpacked.
lab_require() {
  [ -z "${VMM_SKIP_LAB-}" ] || skip_all "VMM_SKIP_LAB is set"
  require_kernel
  # A host whose KVM can nest needs no emulator; lab prints what is missing.
  "$lab" --ready 2>"$tmp/why" || fail_all "$(cat "$tmp/why")"
  LAB_GUEST_KERNEL=$("${abs_top_srcdir:-$PWD}/tests/lab/unpack-kernel" "$kernel" \
    "${abs_top_builddir:-$PWD/build}/tests/lab/guest-kernel" 2>"$tmp/why") ||
    fail_all "$(cat "$tmp/why")"
  export LAB_GUEST_KERNEL
}

# lab_no_kernel WHY: ends the test, as its kernel is not in the cache: it fails,
# or with VMM_SKIP_LAB_KERNELS is skipped.
lab_no_kernel() {
  [ -z "${VMM_SKIP_LAB_KERNELS-}" ] || skip_all "VMM_SKIP_LAB_KERNELS is set: $*"
  fail_all "$*"
}

# lab_require for tests whose guest runs the agent; sets agent.
lab_require_agent() {
  lab_require
  require curl jq
  agent=${abs_top_builddir:-build}/guest-agent/vmm-guest-agent
  ! ldd "$agent" >/dev/null 2>&1 ||
    skip_all "vmm-guest-agent is not static (a build with sanitizers)"
}

# lab_agent_guest SCRIPT PROGRAM: an initramfs with both and the agent, as
# guest.cpio in the directory that is $LAB_OUT inside.
lab_agent_guest() {
  mkdir -p "$tmp/out"
  "$mkguest" --script "$1" --add "$agent" \
    --add "${abs_top_builddir:-build}/tests/lab/$2" "$tmp/out/guest.cpio"
}

# lab_run [LAB-OPTION...] COMMAND...: sets lab_status, lab_stdout, lab_stderr
# (texts) and lab_out (a directory; LAB_OUT inside).  Both texts are printed if
# it fails.
lab_run() {
  lab_out=$tmp/out
  lab_status=0
  "$lab" --quiet --out "$lab_out" --env abs_top_srcdir \
    --env abs_top_builddir --env LAB_GUEST_KERNEL="${LAB_GUEST_KERNEL-}" "$@" >"$tmp/stdout" 2>"$tmp/stderr" ||
    lab_status=$?
  # shellcheck disable=SC2034 # for the caller
  lab_stdout=$(cat "$tmp/stdout")
  # What lab reports of a boot that it repeated is not the command's.
  _report='/^lab: the machine hung while Linux booted:$/,/^lab: it is started once more$/'
  lab_stderr=$(sed "${_report}d" "$tmp/stderr")
  sed -n "${_report}s/^/# /p" "$tmp/stderr"
  if [ "$lab_status" != 0 ]; then
    sed 's/^/# stdout: /' "$tmp/stdout"
    sed 's/^/# stderr: /' "$tmp/stderr"
  fi
}

# lab_exec [LAB-OPTION...] COMMAND...: its TAP output is that of this test.
lab_exec() {
  "$lab" --quiet --out "$tmp/out" --env abs_top_srcdir \
    --env abs_top_builddir --env LAB_GUEST_KERNEL="${LAB_GUEST_KERNEL-}" "$@"
}

# lab_kernel SERIES: sets kernel and headers, for vmm/kmod/build, to those of that
# Linux: installed, or unpacked for the lab; or ends the test (lab_no_kernel).
lab_kernel() {
  for kernel in $(printf '%s\n' "/boot/vmlinuz-$1".[0-9]*-amd64 | sort -rV); do
    headers=${kernel#/boot/vmlinuz-}
    case $headers in
    *-cloud-*) ;; # no 9p, by which the machine gets its root
    *) [ ! -e "/lib/modules/$headers/build/Makefile" ] || return 0 ;;
    esac
  done
  _get=${abs_top_srcdir:-$PWD}/tests/lab/kernel
  kernel=$("$_get/get-kernel" --cached "$1" 2>"$tmp/why") &&
    headers=$("$_get/get-headers" --cached "$1" 2>"$tmp/why") ||
    lab_no_kernel "$(cat "$tmp/why")"
}

# lab_module DIRECTORY HEADERS: kvm_young.ko in DIRECTORY; it is built once for all
# tests of a build.
lab_module() {
  _shared=${abs_top_builddir:-$PWD/build}/tests/lab/kmod/$(basename "$2")
  mkdir -p "$1" "$_shared"
  flock "$_shared.lock" "$srcdir/vmm/kmod/build" "$srcdir/vmm/kmod" "$_shared" \
    "$2" && cp "$_shared/kvm_young.ko" "$1/"
}

# lab_parts NAME...: prints the TAP output that inner programs left in
# $lab_out/NAME, renumbered, and checks their exit status in NAME.status.
lab_parts() {
  for _part; do
    while read -r _line; do
      case $_line in
      'ok '*) ok 0 "$_part: ${_line#ok * - }" ;;
      'not ok '*) ok 1 "$_part: ${_line#not ok * - }" ;;
      '1..0 '*) ok 1 "$_part: is not skipped: $_line" ;;
      1..*) ;;
      *) echo "# ${_line#\# }" ;;
      esac
    done <"$lab_out/$_part"
    is "$(cat "$lab_out/$_part.status")" 0 "$_part: exits with 0"
  done
}
