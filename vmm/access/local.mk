vmm_libvmm_a_SOURCES += \
	vmm/access/access-selftest.c \
	vmm/access/backoff.c vmm/access/backoff.h \
	vmm/access/age-only.c \
	vmm/access/fault-budget.c vmm/access/fault-budget.h \
	vmm/access/guest-pte.c \
	vmm/access/kvm-young.c \
	vmm/access/page-idle.c \
	vmm/access/pfn-map.c vmm/access/pfn-map.h \
	vmm/access/rwp.c \
	vmm/access/soft.c \
	vmm/access/source.c vmm/access/source.h \
	vmm/access/sources.h \
	vmm/access/tiny-vm.c vmm/access/tiny-vm.h \
	vmm/access/tiny-vm-code.c vmm/access/tiny-vm-code.h \
	vmm/access/userfaultfd-rwp.h \
	vmm/access/damon/aging.c vmm/access/damon/aging.h \
	vmm/access/damon/aging-window.h \
	vmm/access/damon/damon.c \
	vmm/access/damon/damon-ctl.c vmm/access/damon/damon-ctl.h \
	vmm/access/damon/damon-guard.c vmm/access/damon/damon-guard.h \
	vmm/access/damon/damon-owner.c vmm/access/damon/damon-owner.h \
	vmm/access/damon/damon-sysfs.c vmm/access/damon/damon-sysfs.h \
	vmm/access/damon/damon-tree.c

# BPF programs: clang makes the object, bpftool a header with it inside.
BPF_CFLAGS = -g -O2 -Wall -Wextra -Wno-unused-parameter -Werror -target bpf -mcpu=v3
BPF_CPPFLAGS = -I$(top_srcdir) -I/usr/include/$(host_cpu)-linux-gnu
AGING_BPF = vmm/access/damon/aging.bpf.c
AGING_SKEL = vmm/access/damon/aging.skel.h
EXTRA_DIST += $(AGING_BPF)
BUILT_SOURCES += $(AGING_SKEL)
CLEANFILES += $(AGING_SKEL) $(AGING_BPF:.bpf.c=.bpf.o)

vmm/access/damon/aging.bpf.o: vmm/access/damon/aging.bpf.c vmm/access/damon/aging-window.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(CLANG) $(BPF_CFLAGS) \
		$(BPF_CPPFLAGS) -c $(top_srcdir)/vmm/access/damon/aging.bpf.c -o $@
vmm/access/damon/aging.skel.h: vmm/access/damon/aging.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name aging_bpf >$@.new && \
		mv $@.new $@
# For a build of single objects, where BUILT_SOURCES are not made first.
vmm/access/damon/libvmm_a-aging.$(OBJEXT): vmm/access/damon/aging.skel.h
