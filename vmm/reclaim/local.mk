vmm_libvmm_a_SOURCES += \
	vmm/reclaim/sink.c vmm/reclaim/sink.h \
	vmm/reclaim/sink_store.c vmm/reclaim/sink_store_open.c \
	vmm/reclaim/sink-store-evict.c vmm/reclaim/sink-store-discard.c \
	vmm/reclaim/sink-store-trouble.c vmm/reclaim/sink_store-internal.h \
	vmm/reclaim/swap.c vmm/reclaim/sink_damon.c \
	vmm/reclaim/sink_numa.c \
	vmm/reclaim/selftest.c
