vmm_libvmm_a_SOURCES += \
	vmm/mem/addr.h vmm/mem/discard.c \
	vmm/mem/faults.c vmm/mem/faults-pages.c vmm/mem/faults.h \
	vmm/mem/faults-internal.h \
	vmm/mem/guest_mem.c vmm/mem/hold.c vmm/mem/guest_mem.h \
	vmm/mem/guest_mem-internal.h vmm/mem/hugetlb.c \
	vmm/mem/numa.c vmm/mem/numa.h \
	vmm/mem/pagemap_scan.h vmm/mem/remote.c vmm/mem/residency.c \
	vmm/mem/residency_update.c vmm/mem/zero_page.c vmm/mem/zero_page.h
