vmm_libvmm_a_SOURCES += \
	vmm/policy/engine.h \
	vmm/policy/policy_text.c
