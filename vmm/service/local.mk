vmm_libvmm_a_SOURCES += \
	vmm/service/run-options.h \
	vmm/service/run-reclaim.c vmm/service/run-reclaim.h
