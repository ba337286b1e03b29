vmm_libvmm_a_SOURCES += \
	vmm/service/providers.c vmm/service/providers.h \
	vmm/service/service.c vmm/service/service.h \
	vmm/service/service-options.c vmm/service/service-options.h
