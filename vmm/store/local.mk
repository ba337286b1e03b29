vmm_libvmm_a_SOURCES += \
	vmm/store/device.h vmm/store/device_file.c vmm/store/device_nbd.c \
	vmm/store/fifo.c vmm/store/fifo.h \
	vmm/store/health.c vmm/store/health.h \
	vmm/store/log.c vmm/store/log.h \
	vmm/store/page_code.c vmm/store/page_code.h \
	vmm/store/requests.c vmm/store/requests.h \
	vmm/store/requests-internal.h vmm/store/requests_list.c \
	vmm/store/requests-answer.c vmm/store/requests-probe.c \
	vmm/store/requests_work.c \
	vmm/store/room.c \
	vmm/store/slab.c vmm/store/slab.h \
	vmm/store/store.c vmm/store/store.h vmm/store/store-internal.h
