# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The test's own libvirt, with QEMU's emulator: a session daemon in $tmp,
# independent of this machine's libvirt.  Sources ../functions.sh.

# Elsewhere $tmp may be too long for libvirt's sockets, or closed to its user.
TMPDIR=/tmp
. "${abs_top_srcdir:-.}/tests/functions.sh"
libvirtd_pid=
uri="qemu+unix:///session?socket=$tmp/lv/run/libvirt/libvirt-sock"

libvirt_require() {
  require_libvirt_build
  require libvirtd:libvirt-daemon-system virsh:libvirt-clients \
    qemu-system-x86_64:qemu-system-x86 setpriv:util-linux script:bsdutils
}

lv() { virsh -q -c "$uri" "$@"; }

# As root it drops its privileges: only a user's daemon can be kept in a directory.
libvirt_start() {
  mkdir -p "$tmp/lv/run" "$tmp/lv/home"
  _as=
  if [ "$(id -u)" = 0 ]; then
    chmod 755 "$tmp" # its files are nobody's, and below
    chown -R 65534:65534 "$tmp/lv"
    _as='setpriv --reuid 65534 --regid 65534 --clear-groups'
  fi
  # shellcheck disable=SC2086 # words
  $_as env -i PATH="$PATH" HOME="$tmp/lv/home" XDG_RUNTIME_DIR="$tmp/lv/run" \
    libvirtd >"$tmp/libvirtd.log" 2>&1 &
  libvirtd_pid=$!
  wait_for 300 lv list || {
    sed 's/^/# /' "$tmp/libvirtd.log"
    fail_all "libvirt does not start: see above"
  }
}

libvirt_cleanup() {
  [ -n "$libvirtd_pid" ] || return 0
  kill "$libvirtd_pid" 2>/dev/null
  wait "$libvirtd_pid" 2>/dev/null
  libvirtd_pid=
  # What it started, QEMU and virtlogd, stays without it.  It can't be asked to
  # end that: a signal to all of the test's process group has ended it as well.
  for _file in "$tmp"/lv/run/libvirt/qemu/run/*.pid "$tmp"/lv/run/libvirt/*.pid; do
    _pid=$(cat "$_file" 2>/dev/null) || continue
    ! grep -qsF "$tmp/lv/" "/proc/$_pid/cmdline" "/proc/$_pid/environ" ||
      kill -KILL "$_pid"
  done
}
on_exit() { libvirt_cleanup; }

# domain_xml NAME MACHINE: with more devices from standard input
domain_xml() {
  cat <<END
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='$2'>hvm</type></os>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
$(cat)
  </devices>
</domain>
END
}
