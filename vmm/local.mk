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
vmm_vmm_SOURCES =

vmm_vmm_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
vmm_vmm_LDADD = $(VMM_LIBS) $(NCURSES_LIBS)

include vmm/util/local.mk
include vmm/mem/local.mk
include vmm/access/local.mk
include vmm/store/local.mk
include vmm/sink/local.mk
include vmm/guest/local.mk
include vmm/policy/local.mk
include vmm/engine/local.mk
include vmm/kvm/local.mk
include vmm/dev/local.mk
include vmm/control/local.mk
include vmm/client/local.mk
include vmm/service/local.mk
include vmm/qemu/local.mk
include vmm/libvirt/local.mk
include vmm/doctor/local.mk
include vmm/attach/local.mk
include vmm/balance/local.mk
include vmm/top/local.mk
include vmm/experiment/local.mk
include vmm/kmod/local.mk
include vmm/cmd/local.mk
