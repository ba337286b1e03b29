vmm_libvmm_a_SOURCES += \
	vmm/attach/attach.c vmm/attach/attach.h \
	vmm/attach/attach-ages.c \
	vmm/attach/attach-all.c \
	vmm/attach/attach-poll.c \
	vmm/attach/attach-guest.h \
	vmm/attach/attach-libvirt.c \
	vmm/attach/attach-migrate.c \
	vmm/attach/vm-fd.c vmm/attach/vm-fd.h

# The service for all domains; DESTDIR= and systemdsystemunitdir= move it.
systemdsystemunitdir = $(prefix)/lib/systemd/system
systemdsystemunit_DATA = vmm/attach/vmm-attach.service
EXTRA_DIST += vmm/attach/vmm-attach.service.in
CLEANFILES += vmm/attach/vmm-attach.service
vmm/attach/vmm-attach.service: vmm/attach/vmm-attach.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed 's|[@]bindir[@]|$(bindir)|' \
		$(srcdir)/vmm/attach/vmm-attach.service.in >$@
