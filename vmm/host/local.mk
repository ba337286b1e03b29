vmm_libvmm_a_SOURCES += \
	vmm/host/listen.c vmm/host/listen.h \
	vmm/host/rundir.c vmm/host/rundir.h
