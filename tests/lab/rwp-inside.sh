#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# rwp-inside.sh BUILD: inside a level-1 machine with Linux 7.3.  One TAP stream.
build=$1
truth=$build/tests/native/abits-truth
nr=0
check() { # NAME COMMAND...: passes when the command does
  name=$1
  shift
  nr=$((nr + 1))
  if "$@" >/run/check.log 2>&1; then
    echo "ok $nr - $name"
  else
    echo "not ok $nr - $name"
  fi
  # The tables, and what went wrong.
  grep -vE '^ok [^#]*$|^1\.\.' /run/check.log | sed 's/^\([^#]\)/# \1/'
}
# Here the kernel has it, so to skip is to fail.  No access may be missed.
truth() {
  "$truth" --window 500 "$@" >/run/truth.log 2>&1
  rc=$?
  cat /run/truth.log
  [ $rc = 0 ] && ! grep -q '^1\.\.0' /run/truth.log &&
    ! grep -E '^# [a-z]+ +[0-9]+ +[0-9]+ +' /run/truth.log |
    awk '$5 != 0 || $6 != 0 { found = 1 } END { exit !found }'
}
all=rwp,faults=1000000000

check "its unit test" "$build/tests/unit/fault-sources" --require
check "4 KiB, anonymous, all patterns: nothing missed, nothing false" \
  truth --abits $all --mem 32M --rounds 3 --pattern all
check "4 KiB, memfd: nothing missed, nothing false" \
  truth --abits $all --memfd --mem 32M --rounds 3 --pattern random,period
check "4 KiB, 100 faults a second: nothing missed, nothing false" \
  truth --abits rwp,faults=100 --mem 32M --rounds 3 --pattern period,tlb
check "transparent huge pages: nothing missed, nothing false" \
  truth --abits $all --huge --mem 128M --rounds 3 --pattern random,stride,period

hugetlb() {
  echo 40 >/proc/sys/vm/nr_hugepages
  truth --abits $all --hugetlb --mem 32M --rounds 2 --pattern random
  rc=$?
  echo 0 >/proc/sys/vm/nr_hugepages
  return $rc
}
check "pages of the host's pool: nothing missed, nothing false" hugetlb

nobody() {
  chmod 666 /dev/kvm
  setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
    --bounding-set=-all "$truth" --abits $all --mem 8M --rounds 2 \
    --pattern random >/run/truth.log 2>&1
  rc=$?
  cat /run/truth.log
  [ $rc = 0 ] && ! grep -q '^1\.\.0' /run/truth.log
}
check "the same without any privilege" nobody

doctor() {
  "$build/vmm/vmm" doctor
  grep -q 'rwp  *passed its self-test' /run/check.log
}
check "vmm doctor has it pass its self-test" doctor
echo "1..$nr"
