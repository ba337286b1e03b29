vmm_libvmm_a_SOURCES += \
	vmm/policy/anon-file-balance.c vmm/policy/anon-file-balance.h \
	vmm/policy/class.h \
	vmm/policy/frames.c vmm/policy/frames.h \
	vmm/policy/policy.h vmm/policy/policy-text.c \
	vmm/policy/proactive.c vmm/policy/proactive.h \
	vmm/policy/select.c vmm/policy/select.h \
	vmm/policy/wss.c vmm/policy/wss.h
