#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# librmap as used by another project: install its files under a separate root,
# then build and run the example with pkg-config's flags.
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cc=${CC:-cc}

n=0
check() {	# what, command...
	what=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		sed 's/^/# /' "$dir/out"
	fi
}

if nm "$abs_top_builddir/rmap/librmap.a" |
	grep -qE '__(asan|tsan|ubsan)_'; then
	echo "1..0 # SKIP a library built for sanitizers is not for others"
	exit 0
fi
cd "$abs_top_builddir" || exit 99
check "install" make -s DESTDIR="$dir/root" install-libLIBRARIES \
	install-rmapincludeHEADERS install-pkgconfigDATA
pc=$(find "$dir/root" -name rmap.pc)
export PKG_CONFIG_SYSROOT_DIR="$dir/root" PKG_CONFIG_PATH="${pc%/rmap.pc}"
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
check "pkg-config knows it" pkg-config --print-errors --exists rmap
cp "$abs_top_srcdir/rmap/example.c" "$dir/example.c"
cd "$dir" || exit 99
# shellcheck disable=SC2046
check "the example builds outside the tree" \
	$cc -std=c11 -Wall -Werror -o example example.c \
	$(pkg-config --cflags --libs rmap)
check "and runs" sh -c './example >answer && grep -c "process 101" answer |
	grep -qx 2 && grep -q "frame 8: _mapcount 0" answer'
printf '#include <rmap/rmap.h>\n#include <rmap/workingset.h>\nint main(void)
{ rmap_free(nullptr); }\n' >plus.cc
if command -v c++ >/dev/null; then
	# shellcheck disable=SC2046
	check "the headers serve C++" c++ -Wall -Werror -o plus plus.cc \
		$(pkg-config --cflags --libs rmap)
else
	check "the headers serve C++: install the Debian package g++" false
fi
echo "1..$n"
