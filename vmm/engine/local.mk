vmm_libvmm_a_SOURCES += \
	vmm/engine/ages.c vmm/engine/ages-unchanged.c \
	vmm/engine/guest-requests.c \
	vmm/engine/candidates.c \
	vmm/engine/engine-internal.h vmm/engine/engine.c vmm/engine/engine.h \
	vmm/engine/engine-api.c \
	vmm/engine/evict.c \
	vmm/engine/goal.c \
	vmm/engine/huge.c vmm/engine/huge-blocks.c \
	vmm/engine/learn-prices.c \
	vmm/engine/engine-lock.c vmm/engine/engine-lock.h \
	vmm/engine/nodes.c vmm/engine/nodes.h \
	vmm/engine/engine-alloc.c \
	vmm/engine/prefetch.c vmm/engine/prefetch.h \
	vmm/engine/reclaim.c vmm/engine/reclaim.h
