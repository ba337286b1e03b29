vmm_libvmm_a_SOURCES += \
	vmm/control/connections.c vmm/control/connections.h \
	vmm/control/events.c vmm/control/events.h \
	vmm/control/fields.c vmm/control/fields.h \
	vmm/control/host-pages.c vmm/control/host-pages.h \
	vmm/control/inspect.c vmm/control/inspect.h \
	vmm/control/inspect-wss.c \
	vmm/control/jobs.c vmm/control/jobs.h \
	vmm/control/map.c \
	vmm/control/job-limit.c vmm/control/job-limit.h \
	vmm/control/policy-json.c \
	vmm/control/process.c \
	vmm/control/process-pages.c vmm/control/process-pages.h \
	vmm/control/providers.h \
	vmm/control/referenced.c \
	vmm/control/resident-count.c vmm/control/resident-count.h \
	vmm/control/resource.c vmm/control/resource.h \
	vmm/control/server.c vmm/control/server.h \
	vmm/control/stat-snapshot.c vmm/control/stat-snapshot.h
