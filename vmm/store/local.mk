vmm_libvmm_a_SOURCES += \
	vmm/store/device-file.c \
	vmm/store/device-nbd.c \
	vmm/store/fifo.c vmm/store/fifo.h \
	vmm/store/health.c vmm/store/health.h \
	vmm/store/page-code.c vmm/store/page-code.h \
	vmm/store/requests-internal.h \
	vmm/store/requests.c \
	vmm/store/requests.h \
	vmm/store/requests-answer.c \
	vmm/store/requests-list.c \
	vmm/store/requests-probe.c \
	vmm/store/requests-work.c \
	vmm/store/room.c \
	vmm/store/slab.c vmm/store/slab.h \
	vmm/store/store-internal.h vmm/store/store.c vmm/store/store.h \
	vmm/store/store-device.h \
	vmm/store/store-log.c vmm/store/store-log.h
