#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What vmm doctor says of a host with nested paging, and of the same host with
# real obstacles: no module, no swap, a cgroup without swap, shadow paging, no
# KVM.  tests/unit/doctor.c has those that can't be put there.
. "${abs_top_srcdir:-.}/tests/lab/functions.sh"
lab_require
require jq
require_headers "$release"
lab_module "$tmp/kmod" "$release" >"$tmp/build.log" 2>&1
ok $? "the module builds"
[ "$nr_failed" = 0 ] || { sed 's/^/# /' "$tmp/build.log"; done_testing; exit 1; }

lab_run --timeout 1500 --swap 512M sh "$srcdir/tests/lab/doctor-inside.sh" \
  "$vmm" "$tmp/kmod/kvm_young.ko"
is "$lab_status" 0 "the machine ran the tests"
[ "$lab_status" = 0 ] || { done_testing; exit 1; }

# fact CASE GROUP NAME: its status, value and remedy
fact() {
  jq -r --arg g "$2" --arg n "$3" '.facts[] |
    select(.group == $g and .name == $n) | "\(.status) \(.value) \(.remedy)"' \
    "$lab_out/$1.json"
}
# summary CASE: exit status, source and sink
summary() {
  echo "$(cat "$lab_out/$1.status") $(jq -r '.summary |
    "\(.source) \(.sink)"' "$lab_out/$1.json")"
}

is "$(summary whole)" "0 kvm-young swap" "with module and swap all is there"
is "$(fact whole kvm nested-paging)" "ok NPT " "nested paging is seen"
is "$(fact whole kvm virtualization)" "ok AMD-V (svm) " "so is the processor"
is "$(fact whole 'accessed bits' module)" "ok kvm_young is loaded " \
  "so is the module"
like "$(fact whole sources damon)" '^note does not work' \
  "a worse source is not missed"
is "$(jq -r '[.facts[] | select(.status == "fail")] | length' \
  "$lab_out/whole.json")" 0 "nothing fails"
like "$(tail -n 1 "$lab_out/whole.text")" \
  'can: run guests, .* by kvm-young, .* to swap$' "the table ends with that"

is "$(summary bare)" "0 soft store" "without them others serve"
like "$(fact bare sources kvm-young)" '^warn does not work .*make kmod' \
  "a better source is missed"
like "$(fact bare 'accessed bits' module)" '^warn .*make kmod' \
  "the headers for the module are seen"
like "$(fact bare sinks swap)" '^warn does not work .*zram' \
  "swap is missed: by the sink"
like "$(fact bare reclaim swap)" '^warn none .*swapon' "and in the list"

is "$(summary noswap)" "0 kvm-young store" "a cgroup without swap: the store"
like "$(fact noswap reclaim cgroup-swap)" \
  '^warn .*/noswap .*echo max >/sys/fs/cgroup/noswap/memory.swap.max' \
  "the limit and its remedy are reported"
like "$(fact noswap sinks swap)" '^warn does not work' \
  "the sink's self-test finds that, too"
like "$(fact noswap reclaim swap)" '^ok ' "the host's swap is not to blame"

like "$(fact shadow kvm nested-paging)" '^warn shadow paging .*npt=1' \
  "kvm_amd without npt is reported"

is "$(summary nokvm)" "1 null swap" "without KVM nothing can be done"
like "$(fact nokvm kvm /dev/kvm)" '^fail absent modprobe kvm_amd$' \
  "what to load is reported"
done_testing
