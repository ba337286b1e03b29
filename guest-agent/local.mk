noinst_LIBRARIES += guest-agent/libprotocol.a
guest_agent_libprotocol_a_SOURCES = guest-agent/protocol.h \
	guest-agent/protocol.c guest-agent/protocol_decode.c
