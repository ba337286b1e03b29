vmm_libvmm_a_SOURCES += \
	vmm/kvm/acpi-internal.h vmm/kvm/acpi.c vmm/kvm/acpi.h \
	vmm/kvm/acpi-numa.c \
	vmm/kvm/aml.c vmm/kvm/aml.h \
	vmm/kvm/boot-internal.h vmm/kvm/boot.c vmm/kvm/boot.h \
	vmm/kvm/boot-bzimage.c \
	vmm/kvm/boot-elf.c \
	vmm/kvm/bus.c vmm/kvm/bus.h \
	vmm/kvm/cpuid.c vmm/kvm/cpuid.h \
	vmm/kvm/layout.h \
	vmm/kvm/vcpu.c vmm/kvm/vcpu.h \
	vmm/kvm/vm-internal.h vmm/kvm/vm.c vmm/kvm/vm.h
