vmm_libvmm_a_SOURCES += \
	vmm/mem/addr.h \
	vmm/mem/discard.c \
	vmm/mem/faults-internal.h vmm/mem/faults.c vmm/mem/faults.h \
	vmm/mem/faults-pages.c \
	vmm/mem/advise-many.c vmm/mem/advise-many.h \
	vmm/mem/guest-mem-internal.h vmm/mem/guest-mem.c vmm/mem/guest-mem.h \
	vmm/mem/guest-mem-pin.c \
	vmm/mem/huge-file.c \
	vmm/mem/huge-pages.c \
	vmm/mem/hugetlb.c \
	vmm/mem/map.c \
	vmm/mem/numa.c vmm/mem/numa.h \
	vmm/mem/pagemap-scan.h \
	vmm/mem/proc-maps.c vmm/mem/proc-maps.h \
	vmm/mem/remote.c \
	vmm/mem/residency.c \
	vmm/mem/residency-update.c \
	vmm/mem/zero-page.c vmm/mem/zero-page.h
