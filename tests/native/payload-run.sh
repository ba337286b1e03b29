#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The payload guest under `vmm run`: each pattern runs, reports, verifies its
# pages and powers off; and corruption of its memory from outside is detected.
. "${abs_top_srcdir:-.}/tests/native/payload-functions.sh"
payload_require

for pattern in hotcold zipf sequential phase uniform shared idle; do
  payload_run "pattern=$pattern seconds=1 report_ms=250 phase_ms=300" \
    --mem 96M --cpus 1
  is "$status" 0 "$pattern: powers off, exit status 0"
  is "$(event start pattern)" "$pattern" "$pattern: says what it runs"
  is "$(event summary errors)" 0 "$pattern: no page is wrong"
  is "$(event summary pages_checked)" \
    "$(($(event start private_pages) + $(event start shared_pages)))" \
    "$pattern: every page was checked in the end"
  if [ $pattern = idle ]; then
    is "$(event summary ops)" 0 "idle: does nothing"
  else
    between 1 "$(event summary ops)" 999999999999 "$pattern: does something"
  fi
  between 1 "$(grep -c '"interval"' "$log")" 5 "$pattern: reports as it runs"
done

payload_run "pattern=shared shared=6M seconds=1" --mem 96M --cpus 2
is "$status $(event summary errors)" "0 0" "two vCPUs, a process each"
is "$(event start vcpus) $(event start procs)" "2 2" "and both ran"

payload_run "pattern=shared procs=4 seconds=1" --mem 96M --cpus 1
is "$status $(event summary errors)" "0 0" "four processes on one vCPU"
is "$(event summary pages_checked)" \
  "$((4 * $(event start private_pages) + $(event start shared_pages)))" \
  "the pages of all four were checked"

# Memory on both sides of the hole below 4 GiB.
payload_run "seconds=1 check=1 write=1" --mem 3200M --cpus 1
is "$status $(event summary errors)" "0 0" "more memory than fits below 3 GiB"

payload_run "pattern=nosuch" --mem 96M
is "$(event error what) $(event error word)" "bad-argument pattern=nosuch" \
  "a wrong argument is named"
payload_run "mem=1G" --mem 96M
is "$(event error what)" "mem-is-beyond-the-guest-memory" \
  "more memory than there is, is refused"

# The control of all the above: overwrite a cold page through the VMM's
# memory; the guest must count it.
guest_address() { # GFN: of the page, in the VMM's address space
  awk -v bytes=$((96 << 20)) -v gfn="$1" '
    function hex(s,  i, v) {
      for (i = 1; i <= length(s); i++)
        v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
      return v
    }
    { split($1, a, "-"); n = hex(a[2]) - hex(a[1]) }
    n >= bytes && n < bytes + 4194304 { printf "%.0f\n", hex(a[1]) / 4096 + gfn; exit }
  ' "/proc/$vmm_pid/maps"
}
payload_start "seconds=100000 hot=10% layout=block" --mem 96M --cpus 1
if wait_event 300 run; then
  page=$(guest_address $(($(event start private_gfn) +
    $(event start private_pages) - 5)))
  if [ -n "$page" ] && dd if=/dev/zero of="/proc/$vmm_pid/mem" bs=4096 \
    seek="$page" count=1 conv=notrunc 2>"$tmp/dd"; then
    payload_end_run
    payload_wait
    is "$(event summary errors)" 1 "one overwritten page is one error"
  else
    ok 1 "one overwritten page is one error"
    echo "# cannot write the guest's page ($page): $(cat "$tmp/dd")"
  fi
else
  ok 1 "one overwritten page is one error"
  echo "# the guest did not come to run"
fi

done_testing
