vmm_libvmm_a_SOURCES += \
	vmm/reclaim/sink.h \
	vmm/reclaim/swap.c
