vmm_libvmm_a_SOURCES += \
	vmm/host/rundir.c vmm/host/rundir.h
