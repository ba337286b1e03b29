#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# `make install-dkms` installs all that DKMS needs: it adds, builds and removes
# the module, in the test's own trees.
. "${abs_top_srcdir:-.}/tests/functions.sh"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
require dkms
require_root "dkms builds as root only"
kver=
for dir in /lib/modules/*; do
  [ ! -e "$dir/build/Makefile" ] || kver=${dir##*/}
done
[ -n "$kver" ] ||
  fail_all "no kernel headers: install the Debian package linux-headers-amd64"

make -s -C "${abs_top_builddir:-build}" install-dkms DESTDIR="$tmp" \
  >"$tmp/log" 2>&1
ok $? "the sources are installed"
set -- "$tmp"/usr/src/kvm-young-*
version=${1##*/kvm-young-}
[ $# = 1 ] && [ -n "$version" ]
ok $? "under a version: $version"
run_dkms() { # VERB OPTION...
  verb=$1
  shift
  dkms "$verb" -m kvm-young -v "$version" --dkmstree "$tmp/tree" \
    --sourcetree "$tmp/usr/src" "$@" >"$tmp/log" 2>&1
}
show_log() { [ "$1" = 0 ] || sed 's/^/# /' "$tmp/log"; }
mkdir "$tmp/tree"
run_dkms add
status=$?
ok $status "dkms adds them"
show_log $status
run_dkms build -k "$kver"
status=$?
ok $status "dkms builds the module for $kver"
show_log $status
[ $status = 0 ] ||
  cat "$tmp"/tree/kvm-young/*/build/make.log 2>/dev/null | sed 's/^/# /'
module=$(find "$tmp/tree" -name 'kvm_young.ko*' -path "*$kver*" | head -n 1)
like "$module" 'kvm_young\.ko' "there is one"
is "$(modinfo -F vermagic "$module" 2>&1 | cut -d" " -f1)" "$kver" "for that kernel"
run_dkms remove --all
status=$?
ok $status "dkms removes them"
show_log $status
is "$(find "$tmp/tree" -name 'kvm_young.ko*')" "" "and nothing is left"
done_testing
