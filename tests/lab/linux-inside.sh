# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# In level 1: tests that depend on its kernel, each one's TAP and exit status in
# $LAB_OUT.
here=$abs_top_srcdir/tests/lab
export VMM_TEST_MEM=48
part() { # NAME COMMAND...
  name=$1
  began=$(date +%s)
  shift
  "$@" >"$LAB_OUT/$name" 2>&1 </dev/null
  echo $? >"$LAB_OUT/$name.status"
  echo "# $name took $(($(date +%s) - began)) s" >>"$LAB_OUT/$name"
}

# Linux 7.3 uses DAMON itself from its start on; older ones can't.
doctor() (
  . "$abs_top_srcdir/tests/functions.sh"
  stat=/sys/module/damon_stat/parameters/enabled
  fact() { # GROUP NAME EXPRESSION
    "$vmm" doctor --json | jq -r --arg g "$1" --arg n "$2" \
      ".facts[] | select(.group == \$g and .name == \$n) | $3"
  }
  if [ -e $stat ]; then
    echo Y >$stat
    is "$(fact 'accessed bits' damon-user '"\(.status) \(.value)"')" \
      "warn damon_stat" "the kernel's own user of DAMON is named"
    like "$(fact sources damon .detail)" 'in use by the kernel.s damon_stat' \
      "and is why the source does not serve"
    remedy=$(fact 'accessed bits' damon-user .remedy)
    echo "# $remedy"
    sh -c "${remedy%%, and*}"
    ok $? "the remedy can be done"
  fi
  is "$(fact 'accessed bits' damon-user .value)" "no kernel module" \
    "the kernel has no own user of DAMON"
  is "$(fact sources damon .status)" ok "DAMON serves"
  done_testing
)
part doctor doctor
# Who may use DAMON is settled by the same code on both: once is enough.
case $(uname -r) in 7.*) busy=busy ;; *) busy= ;; esac
part damon sh "$here/abits-inside.sh" \
  "$abs_top_builddir/tests/native/abits-truth" damon $busy
part sink-damon env VMM_TEST_RECLAIM='--abits age-only --sink damon' \
  sh "$abs_top_srcdir/tests/native/reclaim-payload.sh"
part sink-lost "$abs_top_builddir/tests/unit/sink-lost"
part sink-store "$abs_top_builddir/tests/unit/sink-store"
case $(uname -r) in
7.*)
  part rwp sh "$here/rwp-inside.sh" "$abs_top_builddir"
  part rwp-swap env VMM_TEST_RECLAIM='--abits rwp,faults=100000' \
    sh "$abs_top_srcdir/tests/native/reclaim-payload.sh" ;;
esac
insmod "$LAB_OUT/kmod/kvm_young.ko" || exit 1
part swap env VMM_TEST_RECLAIM='--abits kvm-young --sink swap' \
  sh "$abs_top_srcdir/tests/native/reclaim-payload.sh"
part store env VMM_TEST_RECLAIM='--abits kvm-young --sink store' \
  sh "$abs_top_srcdir/tests/native/reclaim-payload.sh"
rmmod kvm_young || exit 1
part attach sh "$here/attach-inside.sh"
# Killed processes and our taint are no complaints; what a bug leaves is.
dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|stalls? on|lockup|hung task|general protection|Bad page' \
  >"$LAB_OUT/complaints"
exit 0
