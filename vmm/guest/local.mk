vmm_libvmm_a_SOURCES += \
	vmm/guest/agent-server.c vmm/guest/agent-server.h \
	vmm/guest/apply.c \
	vmm/guest/apply-flags.c \
	vmm/guest/guest-harvest.c vmm/guest/guest-harvest.h \
	vmm/guest/guest-walk.c vmm/guest/guest-walk.h \
	vmm/guest/record.c vmm/guest/record.h \
	vmm/guest/view-internal.h vmm/guest/view.c vmm/guest/view.h \
	vmm/guest/walk-limit.c vmm/guest/walk-limit.h \
	vmm/guest/work-budget.c vmm/guest/work-budget.h
