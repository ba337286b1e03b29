noinst_LIBRARIES += guest-agent/libprotocol.a
guest_agent_libprotocol_a_SOURCES = guest-agent/protocol.h \
	guest-agent/protocol.c guest-agent/protocol_decode.c

# Static, so that it runs in any initramfs; sanitizers can't be static.
sbin_PROGRAMS += guest-agent/vmm-guest-agent
guest_agent_vmm_guest_agent_SOURCES = guest-agent/agent.h \
	guest-agent/delta.c guest-agent/delta.h \
	guest-agent/dump.c guest-agent/epoch.c guest-agent/main.c \
	guest-agent/pages.c guest-agent/procfs.c guest-agent/stream.c \
	guest-agent/transport.c
guest_agent_vmm_guest_agent_CPPFLAGS = $(AM_CPPFLAGS) $(POPT_CFLAGS)
guest_agent_vmm_guest_agent_LDADD = guest-agent/libprotocol.a $(POPT_LIBS)
guest_agent_vmm_guest_agent_LDFLAGS = $(AM_LDFLAGS)
if !SANITIZE
guest_agent_vmm_guest_agent_LDFLAGS += -static
endif
