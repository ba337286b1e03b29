vmm_libvmm_a_SOURCES += \
	vmm/qemu/qemu-guest.c vmm/qemu/qemu-guest.h \
	vmm/qemu/qemu-layout.c vmm/qemu/qemu-layout.h \
	vmm/qemu/qemu-place.c vmm/qemu/qemu-place.h \
	vmm/qemu/qmp.c vmm/qemu/qmp.h
