EXTRA_DIST += tests/functions.sh tests/tsan.supp tests/check-fresh \
	tests/make-swap
# Asks a control socket, in little time also in an emulated machine.
check_PROGRAMS += tests/query
tests_query_CFLAGS = $(WARN_CFLAGS) -std=gnu11 $(JANSSON_CFLAGS)
tests_query_LDFLAGS = -static
tests_query_LDADD = $(JANSSON_LIBS)
# Asks a monitor of QEMU's, and waits for its answer, no longer.
check_PROGRAMS += tests/hmp
tests_hmp_CFLAGS = $(WARN_CFLAGS) -std=gnu11
tests_hmp_LDFLAGS = -static
include tests/unit/local.mk
include tests/payload/local.mk
include tests/native/local.mk
include tests/lab/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/demo/local.mk
