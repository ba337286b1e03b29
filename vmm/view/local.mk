vmm_libvmm_a_SOURCES += \
	vmm/view/view.c vmm/view/view.h vmm/view/view-internal.h \
	vmm/view/apply.c vmm/view/apply-flags.c vmm/view/record.c vmm/view/record.h \
	vmm/view/guest_walk.c vmm/view/guest_walk.h \
	vmm/view/guest_harvest.c vmm/view/guest_harvest.h \
	vmm/view/agent_server.c vmm/view/agent_server.h \
	vmm/view/walk-limit.c vmm/view/walk-limit.h \
	vmm/view/work-budget.c vmm/view/work-budget.h
