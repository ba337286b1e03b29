#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The rule of tests/functions.sh: a test that lacks what can be had fails, and
# says what to do.
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

# Nobody skips for want of a package.
is "$(grep -rnE 'skip(_all)?[ (].*(install|not found)' "$srcdir/tests" \
  --include='*.sh' --include='*.[ch]' | grep -v 'unit/require\.sh')" "" \
  "no test is skipped for want of something to install"
done_testing
