# Tests on this machine's own KVM, with the payload guest; without /dev/kvm
# they are skipped.
NATIVE_TESTS = tests/native/payload-run.sh
TESTS += $(NATIVE_TESTS)
dist_check_SCRIPTS += $(NATIVE_TESTS)
EXTRA_DIST += tests/native/payload-functions.sh
