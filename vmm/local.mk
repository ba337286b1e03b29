# libvmm.a holds all but the commands, so that tests link what users run.
noinst_LIBRARIES += vmm/libvmm.a
vmm_libvmm_a_SOURCES =
vmm_libvmm_a_CPPFLAGS = $(AM_CPPFLAGS) $(POPT_CFLAGS) $(JANSSON_CFLAGS) \
	$(MICROHTTPD_CFLAGS) $(LIBEVENT_CFLAGS) $(LIBBPF_CFLAGS) $(NUMA_CFLAGS) $(CURL_CFLAGS) \
	$(LZ4_CFLAGS) $(ZSTD_CFLAGS) $(XXHASH_CFLAGS) $(NBD_CFLAGS) \
	$(NCURSES_CFLAGS) $(LIBXML2_CFLAGS) $(LIBVIRT_CFLAGS)
VMM_LIBS = vmm/libvmm.a rmap/librmap.a guest-agent/libprotocol.a \
	$(LIBEVENT_LIBS) $(LIBEVENT_CORE_LIBS) $(MICROHTTPD_LIBS) \
	$(JANSSON_LIBS) $(LIBBPF_LIBS) $(NUMA_LIBS) $(POPT_LIBS) \
	$(CURL_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(XXHASH_LIBS) $(NBD_LIBS) \
	$(LIBXML2_LIBS) $(LIBVIRT_LIBS)

bin_PROGRAMS += vmm/vmm
vmm_vmm_SOURCES = vmm/main.c vmm/cmd.h \
	vmm/cmd-client.c vmm/cmd-client.h \
	vmm/cmd-inspect.c vmm/inspect-map.c vmm/inspect-print.h \
	vmm/inspect-picture.c vmm/inspect-picture.h vmm/inspect-process.c \
	vmm/cmd-policy.c vmm/cmd-stat.c vmm/stat-wss.c vmm/stat-wss.h \
	vmm/cmd-libvirt.c vmm/cmd-doctor.c vmm/cmd-balance.c \
	vmm/cmd-metrics.c \
	vmm/cmd-run.c vmm/run-options.c vmm/run-options.h \
	vmm/run-reclaim.c vmm/run-reclaim.h
vmm_vmm_SOURCES += vmm/fleet.c vmm/fleet.h
vmm_vmm_SOURCES += vmm/cmd-attach.c vmm/attach.c vmm/attach.h \
	vmm/attach-guest.h vmm/attach-follow.c vmm/attach-move.c \
	vmm/attach-ages.c vmm/attach-libvirt.c vmm/attach-all.c
# The service for all domains; DESTDIR= and systemdsystemunitdir= move it.
systemdsystemunitdir = $(prefix)/lib/systemd/system
systemdsystemunit_DATA = vmm/vmm-attach.service
EXTRA_DIST += vmm/vmm-attach.service.in
CLEANFILES += vmm/vmm-attach.service
vmm/vmm-attach.service: vmm/vmm-attach.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) vmm && sed 's|[@]bindir[@]|$(bindir)|' \
		$(srcdir)/vmm/vmm-attach.service.in >$@

vmm_vmm_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
vmm_vmm_LDADD = $(VMM_LIBS) $(NCURSES_LIBS)

include vmm/util/local.mk
include vmm/mem/local.mk
include vmm/access/local.mk
include vmm/store/local.mk
include vmm/reclaim/local.mk
include vmm/policy/local.mk
include vmm/kvm/local.mk
include vmm/dev/local.mk
include vmm/view/local.mk
include vmm/stat/local.mk
include vmm/kmod/local.mk
include vmm/host/local.mk
include vmm/balance/local.mk
include vmm/top/local.mk
include vmm/experiment/local.mk
