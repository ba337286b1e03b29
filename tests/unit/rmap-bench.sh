#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The comparison of the schemes completes on small histories (it stops at the
# first wrong answer) and reports every case for every scheme.
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT

echo 1..2
if "$abs_top_builddir/tests/bench/rmap-compare" --quick --rounds 1 \
	--json "$out" >/dev/null; then
	echo "ok 1 - rmap-compare --quick"
else
	echo "not ok 1 - rmap-compare --quick"
fi
missing=
for scheme in anon_vma anon_mm pte_chain; do
	for case in referenced/1 referenced/1000 broken/child broken/parent \
		readers/none/16/cpu live/10/used live/1-of-4G live/broken \
		guest-64G/map history/fork-storm/fork \
		history/children/map history/make-j/exit \
		history/mremap/mremap history/libraries/memory \
		history/cow/ref; do
		grep -q "\"$case/$scheme\"" "$out" ||
			missing="$missing $case/$scheme"
	done
done
if [ -z "$missing" ]; then
	echo "ok 2 - every case for every scheme"
else
	echo "not ok 2 - every case for every scheme"
	echo "# missing:$missing"
fi
