vmm_libvmm_a_SOURCES += \
	vmm/host/listen.c vmm/host/listen.h \
	vmm/host/rundir.c vmm/host/rundir.h \
	vmm/host/vm_fd.c vmm/host/vm_fd.h
vmm_libvmm_a_SOURCES += \
	vmm/host/doctor.c vmm/host/doctor.h vmm/host/doctor-internal.h \
	vmm/host/doctor_read.c vmm/host/doctor_kvm.c vmm/host/doctor_abits.c \
	vmm/host/doctor_needs.c vmm/host/doctor_memory.c \
	vmm/host/doctor_swap.c vmm/host/doctor_cgroup.c \
	vmm/host/doctor_process.c vmm/host/doctor_try.c
vmm_libvmm_a_SOURCES += \
	vmm/host/libvirt_conn.c vmm/host/libvirt_conn.h \
	vmm/host/libvirt_fleet.c vmm/host/libvirt_fleet.h \
	vmm/host/libvirt_domain.c vmm/host/libvirt_domain.h
vmm_libvmm_a_SOURCES += \
	vmm/host/proc_maps.c vmm/host/proc_maps.h \
	vmm/host/qemu_layout.c vmm/host/qemu_layout.h \
	vmm/host/qemu_guest.c vmm/host/qemu_guest.h \
	vmm/host/qemu_place.c vmm/host/qemu_place.h \
	vmm/host/qmp.c vmm/host/qmp.h
vmm_libvmm_a_SOURCES += \
	vmm/host/domain_doc.c vmm/host/domain_doc.h \
	vmm/host/domain_live.c vmm/host/domain_live.h \
	vmm/host/domain_memory.c vmm/host/domain_memory.h \
	vmm/host/domain_parts.c vmm/host/domain_parts.h \
	vmm/host/domain_remove.c \
	vmm/host/domain_xml.c vmm/host/domain_xml.h
