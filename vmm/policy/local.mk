vmm_libvmm_a_SOURCES += \
	vmm/policy/engine.c vmm/policy/engine.h vmm/policy/engine-internal.h \
	vmm/policy/engine-ask.c vmm/policy/ages.c \
	vmm/policy/ask.c vmm/policy/goal.c \
	vmm/policy/balance.c vmm/policy/balance.h vmm/policy/class.h \
	vmm/policy/frames.c vmm/policy/frames.h \
	vmm/policy/proactive.c vmm/policy/proactive.h \
	vmm/policy/hold.c vmm/policy/hold.h vmm/policy/huge.c \
	vmm/policy/nodes.c vmm/policy/nodes.h \
	vmm/policy/policy_text.c vmm/policy/prefetch.c vmm/policy/prefetch.h \
	vmm/policy/quiet.c vmm/policy/reclaim.c \
	vmm/policy/select.c vmm/policy/select.h \
	vmm/policy/wss.c vmm/policy/wss.h
