EXTRA_DIST += tests/functions.sh tests/tsan.supp tests/check-fresh \
	tests/make-swap
include tests/unit/local.mk
include tests/payload/local.mk
include tests/native/local.mk
include tests/lab/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/demo/local.mk
