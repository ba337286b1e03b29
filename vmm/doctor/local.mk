vmm_libvmm_a_SOURCES += \
	vmm/doctor/doctor-internal.h vmm/doctor/doctor.c vmm/doctor/doctor.h \
	vmm/doctor/doctor-abits.c \
	vmm/doctor/doctor-cgroup.c \
	vmm/doctor/doctor-kvm.c \
	vmm/doctor/doctor-memory.c \
	vmm/doctor/doctor-needs.c \
	vmm/doctor/doctor-process.c \
	vmm/doctor/doctor-read.c \
	vmm/doctor/doctor-swap.c \
	vmm/doctor/doctor-try.c
