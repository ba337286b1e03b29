vmm_vmm_SOURCES += \
	vmm/cmd/cmd.h \
	vmm/cmd/cmd-attach.c \
	vmm/cmd/cmd-balance.c \
	vmm/cmd/cmd-client.c vmm/cmd/cmd-client.h \
	vmm/cmd/cmd-doctor.c \
	vmm/cmd/cmd-experiment.c \
	vmm/cmd/cmd-inspect.c \
	vmm/cmd/cmd-libvirt.c \
	vmm/cmd/cmd-metrics.c \
	vmm/cmd/cmd-policy.c \
	vmm/cmd/cmd-run.c \
	vmm/cmd/cmd-stat.c \
	vmm/cmd/cmd-top.c \
	vmm/cmd/inspect-map.c \
	vmm/cmd/inspect-picture.c vmm/cmd/inspect-picture.h \
	vmm/cmd/inspect-print.h \
	vmm/cmd/inspect-process.c \
	vmm/cmd/main.c \
	vmm/cmd/next-option.c \
	vmm/cmd/run-options.c vmm/cmd/run-options.h \
	vmm/cmd/stat-fleet.c vmm/cmd/stat-fleet.h \
	vmm/cmd/stat-wss.c vmm/cmd/stat-wss.h
