vmm_libvmm_a_SOURCES += \
	vmm/policy/anon-file-balance.c vmm/policy/anon-file-balance.h \
	vmm/policy/blocks.c vmm/policy/blocks.h \
	vmm/policy/choice.c vmm/policy/choice.h \
	vmm/policy/class.h \
	vmm/policy/frames.c vmm/policy/frames.h \
	vmm/policy/policy.h vmm/policy/policy-text.c \
	vmm/policy/price.c vmm/policy/price.h \
	vmm/policy/proactive.c vmm/policy/proactive.h \
	vmm/policy/select.c vmm/policy/select.h \
	vmm/policy/use-history.c vmm/policy/use-history.h \
	vmm/policy/wss.c vmm/policy/wss.h
