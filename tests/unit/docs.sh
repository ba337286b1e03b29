#!/bin/sh
# Every option of every verb is in its man page, and the other way round; the
# pages are sound mdoc; the links in the documents lead somewhere; functions that
# architecture.md names are there; packages that bootstrap installs are listed.
. "${abs_top_srcdir:-.}/tests/functions.sh"

options_of_help() {
  "$vmm" "$1" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u |
    grep -vE -- '^--(help|usage)$'
}

options_of_page() {
  mandoc -T ascii "$1" | sed 's/.\x08//g' | grep -oE -- '(^|[^a-z-])--[a-z][a-z-]*' |
    grep -oE -- '--[a-z-]+' | sort -u | grep -vE -- '^--(help|usage)$'
}

verbs=$("$vmm" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
for v in $verbs; do
  page=$srcdir/docs/man/vmm-$v.1
  if [ ! -f "$page" ]; then
    ok 1 "vmm $v has a man page"
    continue
  fi
  # An option of another verb may be mentioned: only its own must match.
  options_of_help "$v" >"$tmp/help"
  options_of_page "$page" >"$tmp/page"
  is "$(comm -23 "$tmp/help" "$tmp/page")" "" \
    "vmm-$v(1) has every option of vmm $v --help"
  grep -qF "vmm-$v" "$srcdir/docs/man/vmm.1"
  ok $? "vmm(1) names vmm-$v(1)"
done

for page in "$srcdir"/docs/man/*.[1-8]; do
  is "$(mandoc -T lint -W error "$page" 2>&1)" "" "$(basename "$page") is sound"
done

for doc in "$srcdir"/README.md "$srcdir"/docs/*.md; do
  dir=$(dirname "$doc")
  broken=$(grep -oE '\]\([^)#]+' "$doc" | sed 's/^](//' | grep -v '^[a-z]*:' |
    while read -r target; do
      [ -e "$dir/$target" ] || echo "$target"
    done)
  is "$broken" "" "links of $(basename "$doc") lead somewhere"
done
# The walks of architecture.md go through functions that there are.
sed -n '/^## Four walks/,/^## Addresses/p' "$srcdir/docs/architecture.md" |
  tr '\n' ' ' | tr -s ' ' | grep -oE '`[a-z/-]+\.c: [a-z_]+\(\)`' | tr -d '`()' |
  tr -d ':' >"$tmp/steps"
[ "$(wc -l <"$tmp/steps")" -ge 30 ]
ok $? "architecture.md walks through $(wc -l <"$tmp/steps") functions"
missing=$(while read -r file function; do
  [ -f "$srcdir/vmm/$file" ] && file=vmm/$file
  grep -qE "^[a-z].*[ *]$function\(" "$srcdir/$file" || echo "$file: $function"
done <"$tmp/steps")
is "$missing" "" "each of them is in its file"
# Packages: what bootstrap installs is what the table of build.md lists.
sed -n "/^[a-z]*_packages='/,/'\$/p" "$srcdir/bootstrap" |
  sed "s/^[a-z_]*='//; s/'\$//" | tr -s ' ' '\n' | sort -u |
  sed '/^$/d' >"$tmp/installed"
sed -n '/^| needed |/,/^$/p' "$srcdir/docs/build.md" | cut -d'|' -f3 |
  tr -s ' ' '\n' | sort -u >"$tmp/listed"
[ "$(wc -l <"$tmp/installed")" -gt 40 ]
ok $? "bootstrap installs $(wc -l <"$tmp/installed") packages"
is "$(comm -23 "$tmp/installed" "$tmp/listed")" "" "build.md lists each of them"
done_testing
