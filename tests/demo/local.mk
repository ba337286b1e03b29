# The demonstration: ./bootstrap --demo
check_PROGRAMS += tests/demo/workload
tests_demo_workload_CFLAGS = $(WARN_CFLAGS) -std=gnu11 -O2
tests_demo_workload_LDFLAGS = -static
EXTRA_DIST += tests/demo/demo tests/demo/guest-script tests/demo/on-host

.PHONY: demo
demo: all tests/demo/workload$(EXEEXT) kmod
	$(srcdir)/tests/demo/demo $(abs_builddir)
