#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# No dead code in libvmm.a: every function and variable with external linkage is
# referenced by another object of the library or of vmm, or else is listed here
# since a test needs it.
. "${abs_top_srcdir:-.}/tests/functions.sh"
lib=$abs_top_builddir/vmm/libvmm.a

# Steps of the product that a test calls by themselves, with their own input.
steps='engine_scan_now guest_make_args guest_take histogram_value metrics_merge
  pfn_runs_from_bitmap pressure_parse_available pressure_parse_psi
  stat_request_within tiny_vm_rounds tiny_vm_touch_with top_bars
  top_host_parse'
# What tests and benchmarks observe, or have the other side do.
observed='damon_sysfs_get_u64 guest_faults_get_stats requests_is_stalled
  serial_nr_dropped store_has tiny_vm_cpu_ns tiny_vm_tid'

# What sanitizers and coverage add is not ours.
nm -g --defined-only "$lib" 2>/dev/null |
  awk 'NF == 3 && $3 !~ /^__/ { print $3 }' | sort -u >"$tmp/defined"
# The objects of vmm are in the folder of its verbs.
nm -u "$lib" "$abs_top_builddir"/vmm/cmd/*.o 2>/dev/null |
  awk '$1 == "U" { print $2 }' | sort -u >"$tmp/used"
# shellcheck disable=SC2086 # words
printf '%s\n' $steps $observed | sort >"$tmp/listed"

grep -qx engine_new "$tmp/used" && grep -qx engine_new "$tmp/defined"
ok $? "the library defines what vmm uses"
# A build without libvirt lacks the callers of some functions.
if ! grep -q '^#define HAVE_LIBVIRT 1' "$abs_top_builddir/config.h"; then
  done_testing
  exit
fi
comm -23 "$tmp/defined" "$tmp/used" >"$tmp/unused"
is "$(comm -23 "$tmp/unused" "$tmp/listed")" "" \
  "all that has external linkage is used elsewhere"
is "$(comm -13 "$tmp/unused" "$tmp/listed")" "" \
  "and so is nothing that is listed as an exception"
done_testing
