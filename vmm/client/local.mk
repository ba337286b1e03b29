vmm_libvmm_a_SOURCES += \
	vmm/client/client-internal.h vmm/client/client.c vmm/client/client.h \
	vmm/client/client-multi.c vmm/client/client-multi.h \
	vmm/client/metrics-all.c vmm/client/metrics-all.h
