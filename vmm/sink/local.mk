vmm_libvmm_a_SOURCES += \
	vmm/sink/evictor-internal.h vmm/sink/evictor.c vmm/sink/evictor.h \
	vmm/sink/evictor-jail.c \
	vmm/sink/evictor-process.c \
	vmm/sink/sink.c vmm/sink/sink.h \
	vmm/sink/sink-damon.c \
	vmm/sink/sink-numa.c \
	vmm/sink/sink-selftest.c \
	vmm/sink/sink-store-internal.h vmm/sink/sink-store.c \
	vmm/sink/sink-store-discard.c \
	vmm/sink/sink-store-evict.c \
	vmm/sink/sink-store-open.c \
	vmm/sink/sink-store-trouble.c \
	vmm/sink/sink-swap.c \
	vmm/sink/sink-swap-evictor.c vmm/sink/sink-swap-evictor.h
