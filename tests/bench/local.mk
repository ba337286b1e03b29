# Benchmarks: built with `make check`, run by hand (tests/bench/README.md).
noinst_HEADERS += tests/bench/bench.h
EXTRA_DIST += tests/bench/README.md tests/bench/boot tests/bench/reclaim-native

check_PROGRAMS += tests/bench/summarize tests/bench/until
tests_bench_summarize_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_bench_summarize_LDADD = $(JANSSON_LIBS)
tests_bench_until_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_bench_until_LDADD = $(JANSSON_LIBS)
