vmm_libvmm_a_SOURCES += \
	vmm/experiment/cgroup.c vmm/experiment/cgroup.h \
	vmm/experiment/chart.c vmm/experiment/chart.h \
	vmm/experiment/file-pin.c vmm/experiment/file-pin.h \
	vmm/experiment/guest.c vmm/experiment/guest.h \
	vmm/experiment/host-facts.c vmm/experiment/host-facts.h \
	vmm/experiment/plan-internal.h \
	vmm/experiment/plan.c \
	vmm/experiment/plan.h \
	vmm/experiment/plan-guests.c \
	vmm/experiment/reader.c vmm/experiment/reader.h \
	vmm/experiment/report.c vmm/experiment/report.h \
	vmm/experiment/report-charts.c \
	vmm/experiment/result.c vmm/experiment/result.h \
	vmm/experiment/result-files.c \
	vmm/experiment/run.c vmm/experiment/run.h

vmm_vmm_CPPFLAGS += -DVMM_EXPERIMENTS_DIR='"$(experimentsdir)"' \
	-DVMM_PAYLOAD_FILE='"$(pkglibexecdir)/payload.elf"'
# The charts' logarithms.
VMM_LIBS += -lm

experimentsdir = $(pkgdatadir)/experiments
dist_experiments_DATA = \
	vmm/experiment/ready/double-paging.json \
	vmm/experiment/ready/overcommit-sweep.json \
	vmm/experiment/ready/phase-change.json \
	vmm/experiment/ready/policy-comparison.json \
	vmm/experiment/ready/two-in-one.json
