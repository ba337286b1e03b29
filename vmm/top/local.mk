# Only screen.c needs ncurses, and only the command is linked with that.
vmm_libvmm_a_SOURCES += \
	vmm/top/feed.c vmm/top/feed.h \
	vmm/top/host.c vmm/top/host.h \
	vmm/top/loop.c vmm/top/loop.h \
	vmm/top/model.c vmm/top/model.h \
	vmm/top/page.c vmm/top/page.h \
	vmm/top/procs.c vmm/top/procs.h \
	vmm/top/sample.c vmm/top/sample.h \
	vmm/top/screen.c vmm/top/screen.h \
	vmm/top/table.c vmm/top/table.h \
	vmm/top/ui.c vmm/top/ui.h
