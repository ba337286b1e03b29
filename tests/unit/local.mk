# Unit tests: one program a module, each prints TAP (tests/tap.h).
noinst_HEADERS += tests/tap.h

UNIT_TESTS = tests/unit/util
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

tests_unit_util_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_util_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/rmap-property
TESTS += tests/unit/rmap-property
tests_unit_rmap_property_LDADD = rmap/librmap.a
