# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Packages of Debian for the lab: downloaded by apt and unpacked into the cache,
# not installed.  Sourced by the scripts that get them; needs no root.
# The cache is ${XDG_CACHE_HOME:-$HOME/.cache}/vmm/.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/vmm
work=''

die() { # STATUS TEXT: 77 is "can't be had here"
  status=$1
  shift
  echo "$(basename "$0"): $*" >&2
  exit "$status"
}

need_tools() { # COMMAND...
  for tool; do
    command -v "$tool" >/dev/null || die 77 \
      "$tool not found: this needs Debian and its packages kmod and util-linux"
  done
}

# begin_work NAME: sets work to a directory in the cache, removed at the end.
# A second caller waits here for the first one's result (descriptor 9).
begin_work() {
  need_tools apt-get apt-cache dpkg-deb flock
  mkdir -p "$cache"
  exec 9>"$cache/$1.lock"
  flock 9
  work=$(mktemp -d "$cache/$1.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
}

# use_suite [SUITE]: of which the functions below take packages; none: of what
# this machine's own apt knows.  Another suite is looked for on the server that
# the machine's own packages of Debian come from.
use_suite() {
  suite=${1-}
  if [ -z "$suite" ]; then
    # Old lists may name a build that the archive no longer has.
    [ "$(id -u)" != 0 ] || apt-get update -qq 9>&- >&2 || :
    return
  fi
  server=$(debian_server)
  if [ -z "$server" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq 9>&- >&2 || :
    server=$(debian_server)
  fi
  [ -n "$server" ] || die 77 "apt does not say where this machine's packages" \
    "of Debian come from: needs Debian, and apt-get update"
  lists=$cache/apt-$suite
  mkdir -p "$lists/partial"
  for keys in /usr/share/keyrings/debian-archive-keyring.pgp \
    /usr/share/keyrings/debian-archive-keyring.gpg; do
    [ ! -r $keys ] || break
  done
  echo "deb [arch=amd64 signed-by=$keys] $server $suite main" \
    >"$work/$suite.list"
  suite_apt get update -qq 9>&- >&2 ||
    die 77 "apt-get could not read the lists of $suite: is there a network?"
}

debian_server() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian Debian //p' | head -n 1
}

suite_apt() { # get|cache ARG...
  tool=apt-$1
  shift
  if [ -n "$suite" ]; then
    set -- -o Dir::Etc::sourcelist="$work/$suite.list" \
      -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$lists" \
      -o Dir::Cache::pkgcache='' -o Dir::Cache::srcpkgcache='' "$@"
  fi
  # apt would rather download as its own user, which cannot write here.
  "$tool" -o APT::Sandbox::User=root "$@"
}

# The package that PACKAGE, a name without a version, depends on: PREFIX...
newest_package() { # PACKAGE PREFIX
  suite_apt cache show --no-all-versions "$1" 2>/dev/null |
    sed -n "s/^Depends: \(.*, \)\?\($2[^ ,]*\).*/\2/p"
}

unpack() { # DIRECTORY PACKAGE...
  to=$1
  shift
  mkdir "$work/debs"
  (cd "$work/debs" && suite_apt get download -qq "$@") 9>&- >&2 ||
    die 77 "apt-get could not download $*: is there a network?" \
      "(after apt-get update?)"
  for deb in "$work/debs"/*.deb; do
    dpkg-deb -x "$deb" "$to"
  done
  rm -r "$work/debs"
}
