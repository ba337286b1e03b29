vmm_libvmm_a_SOURCES += \
	vmm/service/run-reclaim.c vmm/service/run-reclaim.h \
	vmm/service/service-options.c vmm/service/service-options.h
