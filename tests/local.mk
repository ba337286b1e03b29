EXTRA_DIST += tests/functions.sh tests/tsan.supp
include tests/unit/local.mk
include tests/payload/local.mk
include tests/native/local.mk
include tests/lab/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/demo/local.mk
