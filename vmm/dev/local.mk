vmm_libvmm_a_SOURCES += \
	vmm/dev/blk-image.c vmm/dev/blk-image.h \
	vmm/dev/console.c vmm/dev/console.h \
	vmm/dev/device.h \
	vmm/dev/legacy.c vmm/dev/legacy.h \
	vmm/dev/serial.c vmm/dev/serial.h \
	vmm/dev/virtio.c vmm/dev/virtio.h \
	vmm/dev/virtio-balloon.c \
	vmm/dev/virtio-blk.c \
	vmm/dev/virtio-mmio.c vmm/dev/virtio-mmio.h \
	vmm/dev/virtio-net.c \
	vmm/dev/virtio-rng.c \
	vmm/dev/virtqueue.c vmm/dev/virtqueue.h \
	vmm/dev/vsock.c vmm/dev/vsock.h \
	vmm/dev/vsock-conn.c \
	vmm/dev/vsock-host.c \
	vmm/dev/vsock-rx.c
