#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# When tests/make-swap adds swap: by the amount that is free, whatever the total
# and the number of devices. It reads our files in place of /proc's, in a mount
# namespace, and commands that would change this machine are replaced by ones
# that record the call.
. "${abs_top_srcdir:-.}/tests/functions.sh"
require unshare:util-linux mount
try='mount --bind "$1/meminfo" /proc/meminfo && mount --bind "$1/swaps" /proc/swaps'
# In a chroot root can't make all mounts private, nor a user name space; of /proc,
# which is one mount, it can.
if [ "$(id -u)" = 0 ]; then
  namespace='unshare -m --propagation unchanged'
  try="mount --make-private /proc && $try"
else
  namespace='unshare -rm'
fi
[ "$(id -u)" = 0 ] || $namespace true 2>/dev/null ||
  skip_all "only root can put other files in the place of /proc's here, where" \
    "others have no user namespaces: run as root"

mkdir "$tmp/bin"
for program in modprobe mkswap swapon; do
  printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n' $program "$tmp" \
    >"$tmp/bin/$program"
done
cat >"$tmp/bin/zramctl" <<END
#!/bin/sh
echo "zramctl \$*" >>"$tmp/calls"
echo /dev/a-new-device
END
chmod 755 "$tmp"/bin/*

# make_swap TOTAL FREE [MIB]: in MiB; sets status and made, the device or ''
make_swap() {
  printf 'MemFree: 1 kB\nSwapTotal: %d kB\nSwapFree: %d kB\n' $(($1 * 1024)) \
    $(($2 * 1024)) >"$tmp/meminfo"
  printf 'Filename Type Size Used Priority\n' >"$tmp/swaps"
  [ "$1" = 0 ] || printf '/dev/some partition %d %d -2\n' $(($1 * 1024)) \
    $((($1 - $2) * 1024)) >>"$tmp/swaps"
  : >"$tmp/calls"
  shift 2
  status=0
  PATH="$tmp/bin:$PATH" $namespace sh -c "$try && shift && exec \"\$@\"" sh \
    "$tmp" "$srcdir/tests/make-swap" "$@" >"$tmp/out" 2>&1 || status=$?
  sed 's/^/# /' "$tmp/out"
  made=$(sed -n 's/^swapon //p' "$tmp/calls")
}
new=/dev/a-new-device

make_swap 0 0
is "$status $made" "0 $new" "there is none: it is made"
make_swap 976 976
is "$status $made" "0 $new" "less than 1 GiB, as Debian's installer makes: more"
like "$(cat "$tmp/out")" '^make-swap: 976 MiB .* 1024 .*swapoff /dev/a-new-device' \
  "which is said"
make_swap 4096 1000
is "$status $made" "0 $new" "there is much, but in use: more"
make_swap 4096 1024
is "$status $(cat "$tmp/calls" "$tmp/out")" "0 " "enough is free: nothing is done"
make_swap 976 976 512
is "$status $(cat "$tmp/calls" "$tmp/out")" "0 " "enough for who needs less"
make_swap 4096 2000 2048
is "$status $made" "0 $new" "and not for who needs more"
like "$(cat "$tmp/calls")" 'zramctl .*--size 2048M' "2 GiB are added"
make_swap 0 0 5000
like "$(cat "$tmp/calls")" 'zramctl .*--size 5000M' "or as much as is needed"
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/zramctl"
make_swap 976 976
is "$status $made" "1 " "no compressed memory: an error"
like "$(cat "$tmp/out")" '^make-swap: 976 MiB .*fallocate' "with a remedy"
done_testing
