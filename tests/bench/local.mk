# Benchmarks: built with `make check`, run by hand (tests/bench/README.md).
noinst_HEADERS += tests/bench/bench.h
EXTRA_DIST += tests/bench/README.md tests/bench/boot tests/bench/idle \
	tests/bench/reclaim-native tests/bench/store-soak \
	tests/bench/reclaim-native tests/bench/prefetch-native \
	tests/bench/with-damon tests/bench/attach

check_PROGRAMS += tests/bench/summarize tests/bench/until
tests_bench_summarize_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_bench_summarize_LDADD = $(JANSSON_LIBS)
tests_bench_until_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_bench_until_LDADD = $(JANSSON_LIBS)

check_PROGRAMS += tests/bench/rmap-compare
tests_bench_rmap_compare_SOURCES = tests/bench/rmap-compare.c \
	tests/bench/rmap-compare.h tests/bench/rmap-live.c \
	tests/bench/rmap-readers.c \
	tests/bench/rmap-trace.c tests/bench/rmap-trace.h \
	tests/bench/rmap-generate.c
tests_bench_rmap_compare_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_rmap_compare_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/bench/abits
noinst_HEADERS += tests/bench/abits.h
tests_bench_abits_SOURCES = tests/bench/abits.c tests/bench/abits.h \
	tests/bench/abits-linux.c tests/bench/abits-damon.c \
	tests/bench/abits-slowdown.c
tests_bench_abits_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_abits_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/bench/kvm-young
tests_bench_kvm_young_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_kvm_young_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/bench/refault tests/bench/prefetch
tests_bench_refault_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_refault_LDADD = $(VMM_LIBS)
tests_bench_prefetch_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_prefetch_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
check_PROGRAMS += tests/bench/evict
tests_bench_evict_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_evict_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/bench/discard
tests_bench_discard_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_discard_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/bench/replacement
noinst_HEADERS += tests/bench/replacement.h tests/bench/replacement-list.h
# The traces and policies, for the unit test as well.
check_LIBRARIES += tests/bench/libreplacement.a
tests_bench_libreplacement_a_SOURCES = tests/bench/replacement-traces.c \
	tests/bench/replacement-lru.c tests/bench/replacement-clock.c \
	tests/bench/replacement-two-lists.c tests/bench/replacement-mglru.c \
	tests/bench/replacement-s3-fifo.c tests/bench/replacement-optimum.c \
	tests/bench/replacement-engine.c
tests_bench_libreplacement_a_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_replacement_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_bench_replacement_LDADD = tests/bench/libreplacement.a $(VMM_LIBS)
