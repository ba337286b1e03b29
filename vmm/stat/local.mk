vmm_libvmm_a_SOURCES += \
	vmm/stat/client.c vmm/stat/client.h vmm/stat/client-internal.h \
	vmm/stat/client_multi.c vmm/stat/client_multi.h \
	vmm/stat/connections.c vmm/stat/connections.h \
	vmm/stat/events.c vmm/stat/events.h \
	vmm/stat/host_pages.c vmm/stat/host_pages.h \
	vmm/stat/inspect.c vmm/stat/inspect.h \
	vmm/stat/jobs.c vmm/stat/jobs.h \
	vmm/stat/metrics_all.c vmm/stat/metrics_all.h \
	vmm/stat/map.c vmm/stat/process.c vmm/stat/referenced.c \
	vmm/stat/patience.c vmm/stat/patience.h \
	vmm/stat/policy_json.c \
	vmm/stat/process_pages.c vmm/stat/process_pages.h \
	vmm/stat/resident-count.c vmm/stat/resident-count.h \
	vmm/stat/resource.c vmm/stat/resource.h \
	vmm/stat/server.c vmm/stat/server.h \
	vmm/stat/fields.c vmm/stat/fields.h \
	vmm/stat/snapshot.c vmm/stat/snapshot.h \
	vmm/stat/wss.c
