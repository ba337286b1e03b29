vmm_libvmm_a_SOURCES += \
	vmm/util/bitmap.h vmm/util/cleanup.h vmm/util/clock.h \
	vmm/util/cond.h \
	vmm/util/control-answers.h \
	vmm/util/diff.c vmm/util/diff.h \
	vmm/util/error-text.c vmm/util/error-text.h \
	vmm/util/exit-status.h \
	vmm/util/fair-lock.c vmm/util/fair-lock.h \
	vmm/util/fd-limit.c vmm/util/fd-limit.h \
	vmm/util/histogram.c vmm/util/histogram.h \
	vmm/util/key-value.c vmm/util/key-value.h \
	vmm/util/json-text.c vmm/util/json-text.h \
	vmm/util/listen.c vmm/util/listen.h \
	vmm/util/log.c vmm/util/log.h \
	vmm/util/min-max.h \
	vmm/util/nearest.c vmm/util/nearest.h \
	vmm/util/pressure.c vmm/util/pressure.h \
	vmm/util/printable.c vmm/util/printable.h \
	vmm/util/rundir.c vmm/util/rundir.h \
	vmm/util/size.c vmm/util/size.h \
	vmm/util/small-file.c vmm/util/small-file.h \
	vmm/util/stop-flag.h \
	vmm/util/stop-guard.c vmm/util/stop-guard.h \
	vmm/util/thread.h \
	vmm/util/tx-out.c vmm/util/tx-out.h \
	vmm/util/unix-socket.c vmm/util/unix-socket.h
