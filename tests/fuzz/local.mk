# tests/fuzz

# As a test it makes its own rings; with -DVMM_LIBFUZZER -fsanitize=fuzzer
# (clang) it is a libFuzzer target.
check_PROGRAMS += tests/fuzz/virtqueue
TESTS += tests/fuzz/virtqueue
tests_fuzz_virtqueue_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_fuzz_virtqueue_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/fuzz/protocol
TESTS += tests/fuzz/protocol
tests_fuzz_protocol_LDADD = guest-agent/libprotocol.a
