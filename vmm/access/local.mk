vmm_libvmm_a_SOURCES += \
	vmm/access/source.c vmm/access/source.h vmm/access/sources.h \
	vmm/access/selftest.c vmm/access/tiny_vm.c vmm/access/tiny_vm.h \
	vmm/access/tiny_vm_code.c vmm/access/tiny_vm_code.h \
	vmm/access/pfn_map.c vmm/access/pfn_map.h \
	vmm/access/aging.c vmm/access/aging.h vmm/access/aging_window.h \
	vmm/access/damon.c vmm/access/damon_ctl.c vmm/access/damon_ctl.h \
	vmm/access/damon_tree.c vmm/access/damon-owner.c \
	vmm/access/damon-owner.h \
	vmm/access/damon_sysfs.c vmm/access/damon_sysfs.h \
	vmm/access/damon_guard.c vmm/access/damon_guard.h \
	vmm/access/page_idle.c vmm/access/kvm_young.c \
	vmm/access/fault-budget.c vmm/access/fault-budget.h \
	vmm/access/soft.c vmm/access/rwp.c vmm/access/userfaultfd-rwp.h \
	vmm/access/guest_pte.c vmm/access/blind.c \
	vmm/access/backoff.c vmm/access/backoff.h \
	vmm/access/fake.c vmm/access/fake.h

# BPF programs: clang makes the object, bpftool a header with it inside.
BPF_CFLAGS = -g -O2 -Wall -Wextra -Wno-unused-parameter -Werror -target bpf -mcpu=v3
BPF_CPPFLAGS = -I$(top_srcdir) -I/usr/include/$(host_cpu)-linux-gnu
AGING_BPF = vmm/access/aging.bpf.c
AGING_SKEL = vmm/access/aging.skel.h
EXTRA_DIST += $(AGING_BPF)
BUILT_SOURCES += $(AGING_SKEL)
CLEANFILES += $(AGING_SKEL) $(AGING_BPF:.bpf.c=.bpf.o)

vmm/access/aging.bpf.o: vmm/access/aging.bpf.c vmm/access/aging_window.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(CLANG) $(BPF_CFLAGS) \
		$(BPF_CPPFLAGS) -c $(top_srcdir)/vmm/access/aging.bpf.c -o $@
vmm/access/aging.skel.h: vmm/access/aging.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name aging_bpf >$@.new && \
		mv $@.new $@
# For a build of single objects, where BUILT_SOURCES are not made first.
vmm/access/libvmm_a-aging.$(OBJEXT): vmm/access/aging.skel.h
