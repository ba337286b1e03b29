noinst_LIBRARIES += guest-agent/libprotocol.a
guest_agent_libprotocol_a_SOURCES = guest-agent/protocol.h \
	guest-agent/protocol.c guest-agent/protocol-decode.c

# Static, so that it runs in any initramfs; sanitizers can't be static.
sbin_PROGRAMS += guest-agent/vmm-guest-agent
guest_agent_vmm_guest_agent_SOURCES = guest-agent/agent.h \
	guest-agent/cache.c \
	guest-agent/delta.c guest-agent/delta.h \
	guest-agent/dump.c guest-agent/epoch.c \
	guest-agent/kcore.c guest-agent/kcore.h \
	guest-agent/kernel-symbols.c guest-agent/kernel-symbols.h \
	guest-agent/main.c guest-agent/pages.c \
	guest-agent/pgd.c guest-agent/pgd.h guest-agent/pgd-bpf.c \
	guest-agent/pgd-kcore.c guest-agent/pgd-record.h \
	guest-agent/procfs.c guest-agent/stream.c guest-agent/transport.c
guest_agent_vmm_guest_agent_CPPFLAGS = $(AM_CPPFLAGS) $(POPT_CFLAGS)
guest_agent_vmm_guest_agent_LDADD = guest-agent/libprotocol.a $(POPT_LIBS)
guest_agent_vmm_guest_agent_LDFLAGS = $(AM_LDFLAGS)
if !SANITIZE
guest_agent_vmm_guest_agent_LDFLAGS += -static
endif

# A light skeleton: it needs bpf(2) and no library in the agent.
PGD_BPF = guest-agent/pgd.bpf.c
PGD_SKEL = guest-agent/pgd.lskel.h
EXTRA_DIST += $(PGD_BPF)
BUILT_SOURCES += $(PGD_SKEL)
CLEANFILES += $(PGD_SKEL) $(PGD_BPF:.bpf.c=.bpf.o)
guest-agent/pgd.bpf.o: guest-agent/pgd.bpf.c guest-agent/pgd-record.h
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(CLANG) $(BPF_CFLAGS) \
		$(BPF_CPPFLAGS) -c $(top_srcdir)/guest-agent/pgd.bpf.c -o $@
guest-agent/pgd.lskel.h: guest-agent/pgd.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton -L $< name pgd_bpf >$@.new && \
		mv $@.new $@
guest-agent/guest_agent_vmm_guest_agent-pgd-bpf.$(OBJEXT): \
	guest-agent/pgd.lskel.h
