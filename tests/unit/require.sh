#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The rule of tests/functions.sh: a test that lacks something that can be
# installed fails, and says what to do.
. "${abs_top_srcdir:-.}/tests/functions.sh"

# try COMMAND: what a test that begins with it prints and its status, in $status
try() {
  cat >"$tmp/test" <<EOT
. "${abs_top_srcdir:-.}/tests/functions.sh"
$1
ok 0 "ran"
done_testing
EOT
  status=0
  sh "$tmp/test" >"$tmp/tap" 2>&1 || status=$?
}

try 'require sh mount ls:coreutils'
is "$status $(head -n 1 "$tmp/tap")" "0 ok 1 - ran" "nothing is missing: it runs"
try 'require sh no-such-program:some-package'
is "$status" 1 "a program is missing: a failure"
like "$(cat "$tmp/tap")" \
  '^not ok 1 - no-such-program not found: .*some-package, .*bootstrap --deps' \
  "which names the package"
try 'require_swap 1000000000'
is "$status" 1 "swap is missing: a failure"
like "$(cat "$tmp/tap")" '^not ok 1 - less than .* MiB of swap .*make-swap' \
  "which names what makes it"
try 'require_headers no-such-release'
like "$status $(cat "$tmp/tap")" '^1 1\.\.1$' "headers are missing: a failure"
try 'require_root "whatever"'
[ "$(id -u)" != 0 ] || set -- 0 'ok 1 - ran'
like "$status $(cat "$tmp/tap")" "^0 ${2:-.*SKIP whatever: run as root}" \
  "what only root may is skipped for others"

try 'may_serve_faults() { false; }; require_faults'
like "$status $(cat "$tmp/tap")" '^0 .*SKIP .*page faults.*: run as root' \
  "so is what serves page faults of guests"

# Nobody skips for want of a package.
is "$(grep -rnE 'skip(_all)?[ (].*(install|not found)' "$srcdir/tests" \
  --include='*.sh' --include='*.[ch]' | grep -v 'unit/require\.sh')" "" \
  "no test is skipped for want of something to install"

# Nor because something that should work did not: a skip's reason is what the
# machine or its kernel lacks, for lack of privilege, or on request.  A reason
# that comes from elsewhere was looked at before: it is one of these.
cat >"$tmp/skips.awk" <<'EOT'
function judge() {
  good = said ~ /(^|[^-a-z])root([^a-z]|$)|kernel|VMM_[A-Z]|CAP_[A-Z]/ ||
    said ~ /\/dev\/kvm|one node|configured --|sanitizers|in the lab|in use|see docs\//
  # Who is root has no such excuse.
  if (said ~ /root/ && before !~ /id -u|geteuid|lacks_root|may_lock|unshare/ &&
      before !~ /may_serve|\[ -[rw]|access\(|\/dev\/kvm|damon_known/)
    good = 0
  if (!good && before !~ /tap_lacks_root|may_be_missing|-EOPNOTSUPP/ &&
      before !~ /_rc = 0|not permitted/)
    print name ": " said
}
FNR == 1 { n = 0; said = "" }
{
  line = $0
  sub(/^[ \t]+/, "", line)
  if (FILENAME ~ /\.sh$/) {
    begins = line ~ /(^|[|&({;] *)skip(_all)? /
    ends = line !~ /\\$/
  } else {
    begins = line ~ /tap_skip(_all)?\(/
    ends = line ~ /;$/
  }
  if (said != "")
    said = said " " line
  else if (begins) {
    name = FILENAME ":" FNR
    said = line
    before = line
    for (i = n - 15; i < n; i++)
      before = before "\n" last[i]
  }
  last[n++] = line
  if (said != "" && ends) {
    judge()
    said = ""
  }
}
EOT
excuses() { # FILE...
  awk -f "$tmp/skips.awk" "$@" || echo "awk failed"
}
# What the rule must see, and what it must not.
cat >"$tmp/bad.sh" <<'EOT'
skip "huge pages" "the host gave none"
skip_all "$(cat "$tmp/why")"
start_qemu || skip "locked memory" \
  "QEMU may not lock it"
[ "$cgroup" = none ] && skip "a limit" "no memory cgroup: be root"
EOT
cat >"$tmp/bad.c" <<'EOT'
	if (open_it(why, sizeof(why)))
		tap_skip_all(why);
	tap_skip("a loop", "no loop devices "
		 "here");
EOT
is "$(excuses "$tmp/bad.sh" "$tmp/bad.c" | sed "s,^$tmp/,,; s/: .*//" |
  tr '\n' ' ')" "bad.sh:1 bad.sh:2 bad.sh:3 bad.sh:5 bad.c:2 bad.c:3 " \
  "a skip that would hide a break is seen"
cat >"$tmp/good.sh" <<'EOT'
[ -r /sys/x ] || skip_all "the kernel has no x"
[ "$(id -u)" = 0 ] || skip "as nobody" "only root can become nobody"
EOT
cat >"$tmp/good.c" <<'EOT'
	if (tap_lacks_root(rc))
		tap_skip_all(why);
EOT
is "$(excuses "$tmp/good.sh" "$tmp/good.c")" "" "and no other"
find "$srcdir/tests" -name build -prune -o \( -name '*.sh' -o -name '*.[ch]' \) \
  ! -path '*/unit/require.sh' ! -name tap.h -print >"$tmp/tests"
[ "$(wc -l <"$tmp/tests")" -ge 100 ]
ok $? "the tests are found"
# shellcheck disable=SC2046 # no spaces in names
is "$(excuses $(cat "$tmp/tests"))" "" "no test has a skip that would hide a break"
done_testing
