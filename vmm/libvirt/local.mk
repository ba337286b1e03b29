vmm_libvmm_a_SOURCES += \
	vmm/libvirt/domain-doc.c vmm/libvirt/domain-doc.h \
	vmm/libvirt/domain-live.c vmm/libvirt/domain-live.h \
	vmm/libvirt/domain-memory.c vmm/libvirt/domain-memory.h \
	vmm/libvirt/domain-parts.c vmm/libvirt/domain-parts.h \
	vmm/libvirt/domain-remove.c \
	vmm/libvirt/domain-xml.c vmm/libvirt/domain-xml.h \
	vmm/libvirt/fleet-metrics.c vmm/libvirt/fleet-metrics.h \
	vmm/libvirt/libvirt-conn.c vmm/libvirt/libvirt-conn.h \
	vmm/libvirt/libvirt-domain.c vmm/libvirt/libvirt-domain.h \
	vmm/libvirt/libvirt-fleet.c vmm/libvirt/libvirt-fleet.h
