# Unit tests: one program a module, each prints TAP (tests/tap.h).
noinst_HEADERS += tests/tap.h tests/one-cpu.h

UNIT_TESTS = tests/unit/util tests/unit/key-value tests/unit/log \
	tests/unit/small-file
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

tests_unit_util_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_util_LDADD = $(VMM_LIBS)
tests_unit_key_value_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_key_value_LDADD = $(VMM_LIBS)
tests_unit_log_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_log_LDADD = $(VMM_LIBS)
tests_unit_small_file_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_small_file_LDADD = $(VMM_LIBS)

RMAP_TESTS = tests/unit/rmap-rows tests/unit/rmap-walk \
	tests/unit/rmap-limits tests/unit/rmap-property \
	tests/unit/rmap-replay tests/unit/rmap-threads \
	tests/unit/rmap-workingset tests/unit/rmap-failures \
	tests/unit/rmap-bounds tests/unit/rmap-bounds-walk
check_PROGRAMS += $(RMAP_TESTS)
TESTS += $(RMAP_TESTS)
noinst_HEADERS += tests/unit/rmap-fixture.h tests/unit/rmap-machine.h \
	tests/unit/rmap-steps.h tests/unit/rmap-oracle.h tests/unit/rmap-count.h
tests_unit_rmap_rows_LDADD = rmap/librmap.a
tests_unit_rmap_walk_LDADD = rmap/librmap.a
tests_unit_rmap_limits_LDADD = rmap/librmap.a
tests_unit_rmap_property_LDADD = rmap/librmap.a
tests_unit_rmap_failures_LDADD = rmap/librmap.a
tests_unit_rmap_bounds_LDADD = rmap/librmap.a
tests_unit_rmap_bounds_walk_LDADD = rmap/librmap.a
tests_unit_rmap_workingset_LDADD = rmap/librmap.a
tests_unit_rmap_replay_SOURCES = tests/unit/rmap-replay.c \
	tests/bench/rmap-trace.c tests/bench/rmap-trace.h \
	tests/bench/rmap-generate.c
tests_unit_rmap_replay_LDADD = rmap/librmap.a
tests_unit_rmap_threads_SOURCES = tests/unit/rmap-threads.c \
	tests/bench/rmap-trace.c tests/bench/rmap-trace.h \
	tests/bench/rmap-generate.c
tests_unit_rmap_threads_LDADD = rmap/librmap.a
EXTRA_DIST += tests/unit/rmap-recorded.trace
rmap_test_files = tests/unit/rmap-symbols.sh tests/unit/rmap-install.sh \
	tests/unit/rmap-bench.sh
dist_check_SCRIPTS += $(rmap_test_files)
TESTS += $(rmap_test_files)

check_PROGRAMS += tests/unit/guest-mem tests/unit/faults-watch \
	tests/unit/faults-busy
TESTS += tests/unit/guest-mem tests/unit/faults-watch tests/unit/faults-busy
check_PROGRAMS += tests/unit/moving-pages
TESTS += tests/unit/moving-pages
tests_unit_moving_pages_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_moving_pages_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/unit/residency-stop
TESTS += tests/unit/residency-stop
tests_unit_residency_stop_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_residency_stop_LDADD = $(VMM_LIBS)
tests_unit_residency_stop_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=ioctl \
	-Wl,--wrap=mincore -Wl,--wrap=pread
tests_unit_faults_busy_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_faults_busy_LDADD = $(VMM_LIBS)
tests_unit_faults_busy_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=ioctl
tests_unit_faults_watch_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_faults_watch_LDADD = $(VMM_LIBS)
tests_unit_guest_mem_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_guest_mem_LDADD = $(VMM_LIBS)

noinst_HEADERS += tests/unit/virtio-ring.h
check_PROGRAMS += tests/unit/virtqueue
TESTS += tests/unit/virtqueue
tests_unit_virtqueue_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_virtqueue_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/access tests/unit/fault-sources tests/unit/backoff \
	tests/unit/residency tests/unit/metrics-all
TESTS += tests/unit/access tests/unit/fault-sources tests/unit/backoff \
	tests/unit/residency tests/unit/metrics-all
tests_unit_metrics_all_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_metrics_all_LDADD = $(VMM_LIBS)
tests_unit_residency_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_residency_LDADD = $(VMM_LIBS)
tests_unit_fault_sources_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_fault_sources_LDADD = $(VMM_LIBS)
tests_unit_backoff_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_backoff_LDADD = $(VMM_LIBS)
# The source that replays a trace.
check_LIBRARIES += tests/unit/libfake-source.a
tests_unit_libfake_source_a_SOURCES = tests/unit/fake-source.c \
	tests/unit/fake-source.h
tests_unit_libfake_source_a_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_access_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_access_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)

check_PROGRAMS += tests/unit/frames tests/unit/choice tests/unit/price
TESTS += tests/unit/frames tests/unit/choice tests/unit/price
check_PROGRAMS += tests/unit/blocks tests/unit/huge-memory
TESTS += tests/unit/blocks tests/unit/huge-memory
tests_unit_blocks_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_blocks_LDADD = $(VMM_LIBS)
tests_unit_huge_memory_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_huge_memory_LDADD = $(VMM_LIBS)
tests_unit_frames_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_frames_LDADD = $(VMM_LIBS)
tests_unit_choice_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_choice_LDADD = $(VMM_LIBS)
tests_unit_price_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_price_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/unit/replacement
TESTS += tests/unit/replacement
tests_unit_replacement_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_replacement_LDADD = tests/bench/libreplacement.a $(VMM_LIBS)
check_PROGRAMS += tests/unit/stop-guard tests/unit/stop-guard-limit
TESTS += tests/unit/stop-guard tests/unit/stop-guard-limit
tests_unit_stop_guard_limit_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stop_guard_limit_LDADD = $(VMM_LIBS)
tests_unit_stop_guard_limit_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=timer_create \
	-Wl,--wrap=timer_settime -Wl,--wrap=eventfd_write
tests_unit_stop_guard_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stop_guard_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/serial
TESTS += tests/unit/serial
tests_unit_serial_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_serial_LDADD = $(VMM_LIBS)

DEVICE_TESTS = tests/unit/virtio-devices tests/unit/vsock \
	tests/unit/bus tests/unit/device-turn-limits tests/unit/vsock-limits \
	tests/unit/blk-reset tests/unit/blk-pinned
noinst_HEADERS += tests/unit/virtio-driver.h tests/unit/fuse-disk.h
check_PROGRAMS += $(DEVICE_TESTS)
TESTS += $(DEVICE_TESTS)
tests_unit_virtio_devices_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_virtio_devices_LDADD = $(VMM_LIBS)
tests_unit_vsock_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_vsock_LDADD = $(VMM_LIBS)
tests_unit_vsock_limits_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_vsock_limits_LDADD = $(VMM_LIBS)
tests_unit_blk_reset_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_blk_reset_LDADD = $(VMM_LIBS)
tests_unit_blk_pinned_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_blk_pinned_LDADD = $(VMM_LIBS)
tests_unit_bus_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_bus_LDADD = $(VMM_LIBS)
tests_unit_device_turn_limits_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_device_turn_limits_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/cpuid
TESTS += tests/unit/cpuid
tests_unit_cpuid_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_cpuid_LDADD = $(VMM_LIBS)
tests_unit_cpuid_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=ioctl

STAT_TESTS = tests/unit/inspect tests/unit/stat tests/unit/stat-limits \
	tests/unit/stat-resident
check_PROGRAMS += $(STAT_TESTS)
TESTS += $(STAT_TESTS)
tests_unit_inspect_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_inspect_LDADD = $(VMM_LIBS)
tests_unit_stat_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stat_LDADD = $(VMM_LIBS)
tests_unit_stat_limits_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stat_limits_LDADD = $(VMM_LIBS)
tests_unit_stat_resident_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stat_resident_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_stat_resident_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=guest_mem_residency
# What listens where a VM should.
check_PROGRAMS += tests/unit/invalid-server
tests_unit_invalid_server_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_invalid_server_LDADD = $(VMM_LIBS)
dist_check_SCRIPTS += tests/unit/client-invalid.sh tests/unit/empty-options.sh
TESTS += tests/unit/client-invalid.sh tests/unit/empty-options.sh

check_PROGRAMS += tests/unit/protocol
TESTS += tests/unit/protocol
tests_unit_protocol_LDADD = guest-agent/libprotocol.a

AGENT_TESTS = tests/unit/agent-pgd-ways tests/unit/agent-kcore \
	tests/unit/agent-epoch
check_PROGRAMS += $(AGENT_TESTS)
TESTS += $(AGENT_TESTS) tests/unit/agent-pgd.sh
dist_check_SCRIPTS += tests/unit/agent-pgd.sh
tests_unit_agent_pgd_ways_SOURCES = tests/unit/agent-pgd-ways.c guest-agent/pgd.c \
	guest-agent/procfs.c guest-agent/cache.c
tests_unit_agent_epoch_SOURCES = tests/unit/agent-epoch.c \
	guest-agent/cache.c guest-agent/delta.c guest-agent/epoch.c \
	guest-agent/pages.c guest-agent/pgd.c guest-agent/procfs.c \
	guest-agent/stream.c
tests_unit_agent_epoch_LDADD = guest-agent/libprotocol.a
tests_unit_agent_kcore_SOURCES = tests/unit/agent-kcore.c guest-agent/kcore.c
noinst_HEADERS += tests/unit/tiny-elf.h
BOOT_TESTS = tests/unit/boot tests/unit/acpi
check_PROGRAMS += $(BOOT_TESTS)
TESTS += $(BOOT_TESTS)
tests_unit_boot_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_boot_LDADD = $(VMM_LIBS)
tests_unit_acpi_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_acpi_LDADD = $(VMM_LIBS)

STORE_TESTS = tests/unit/store tests/unit/store-nbd tests/unit/store-file \
	tests/unit/store-requests tests/unit/store-room \
	tests/unit/store-stress tests/unit/store-partial \
	tests/unit/store-health tests/unit/store-hangs \
	tests/unit/store-discards tests/unit/store-lock-hold \
	tests/unit/sink-store tests/unit/store-direct
noinst_HEADERS += tests/unit/store-pages.h tests/unit/nbd-server.h \
	tests/unit/store-nbd.h tests/unit/store-delays.h \
	tests/unit/stderr-lines.h
check_PROGRAMS += $(STORE_TESTS)
TESTS += $(STORE_TESTS)
tests_unit_store_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_LDADD = $(VMM_LIBS)
tests_unit_store_direct_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_direct_LDADD = $(VMM_LIBS)
tests_unit_store_file_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_file_LDADD = $(VMM_LIBS)
tests_unit_store_requests_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_requests_LDADD = $(VMM_LIBS)
tests_unit_store_discards_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_discards_LDADD = $(VMM_LIBS)
tests_unit_store_stress_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_stress_LDADD = $(VMM_LIBS)
tests_unit_store_room_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_room_LDADD = $(VMM_LIBS)
tests_unit_store_nbd_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_nbd_LDADD = $(VMM_LIBS)
tests_unit_store_health_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_health_LDADD = $(VMM_LIBS)
tests_unit_store_health_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
# The store's files, each basic block of which calls a function of the test.
check_LIBRARIES += tests/unit/libstore-steps.a
tests_unit_libstore_steps_a_SOURCES = vmm/store/fifo.c vmm/store/store-log.c \
	vmm/store/requests.c vmm/store/requests-answer.c \
	vmm/store/requests-probe.c vmm/store/requests-list.c \
	vmm/store/requests-work.c \
	vmm/store/room.c vmm/store/slab.c vmm/store/store.c
tests_unit_libstore_steps_a_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_libstore_steps_a_CFLAGS = $(AM_CFLAGS) \
	-fsanitize-coverage=trace-pc
tests_unit_store_lock_hold_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_lock_hold_LDADD = tests/unit/libstore-steps.a $(VMM_LIBS)
tests_unit_store_lock_hold_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=pthread_mutex_lock -Wl,--wrap=pthread_mutex_unlock \
	-Wl,--wrap=pthread_cond_wait -Wl,--wrap=pthread_cond_timedwait
tests_unit_store_hangs_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_hangs_LDADD = $(VMM_LIBS)
tests_unit_store_partial_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_store_partial_LDADD = $(VMM_LIBS)
tests_unit_sink_store_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_store_LDADD = $(VMM_LIBS)

# Their own functions stand before some of the program's (see each).
SINK_TESTS = tests/unit/sink-discard tests/unit/sink-retry \
	tests/unit/sink-lost tests/unit/sink-steps tests/unit/sink-stop \
	tests/unit/walk-evicted tests/unit/walk-swapped \
	tests/unit/sink-lines
noinst_HEADERS += tests/unit/sink-fixture.h tests/unit/sink-reads.h
check_PROGRAMS += $(SINK_TESTS)
TESTS += $(SINK_TESTS)
tests_unit_sink_discard_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_discard_LDADD = $(VMM_LIBS)
tests_unit_sink_discard_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=madvise \
	-Wl,--wrap=store_put -Wl,--wrap=store_get
tests_unit_sink_retry_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_retry_LDADD = $(VMM_LIBS)
tests_unit_sink_retry_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=store_get
tests_unit_walk_evicted_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_walk_swapped_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_walk_swapped_LDADD = $(VMM_LIBS)
tests_unit_walk_swapped_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getrusage \
	-Wl,--wrap=guest_mem_pin_page -Wl,--wrap=view_unlock
tests_unit_walk_evicted_LDADD = $(VMM_LIBS)
tests_unit_walk_evicted_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=store_get
tests_unit_sink_lines_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_lines_LDADD = $(VMM_LIBS)
tests_unit_sink_lines_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=store_get \
	-Wl,--wrap=clock_gettime
tests_unit_sink_stop_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_stop_LDADD = $(VMM_LIBS)
tests_unit_sink_stop_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=store_get
tests_unit_sink_lost_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_lost_LDADD = $(VMM_LIBS)
tests_unit_sink_lost_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mmap \
	-Wl,--wrap=store_get
tests_unit_sink_steps_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_steps_LDADD = $(VMM_LIBS)
tests_unit_sink_steps_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=madvise \
	-Wl,--wrap=store_put -Wl,--wrap=store_get

check_PROGRAMS += tests/unit/sink-selftest
TESTS += tests/unit/sink-selftest
tests_unit_sink_selftest_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_selftest_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/evictor tests/unit/sink-swap-evictor
TESTS += tests/unit/evictor tests/unit/sink-swap-evictor
tests_unit_evictor_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_evictor_LDADD = $(VMM_LIBS)
tests_unit_sink_swap_evictor_SOURCES = tests/unit/sink-swap.c
tests_unit_sink_swap_evictor_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS) -DWITH_EVICTOR
tests_unit_sink_swap_evictor_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/unit/sink-swap
TESTS += tests/unit/sink-swap
tests_unit_sink_swap_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_swap_LDADD = $(VMM_LIBS)

check_PROGRAMS += tests/unit/agent-flood
TESTS += tests/unit/agent-flood
tests_unit_agent_flood_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_agent_flood_LDADD = $(VMM_LIBS)

ENGINE_TESTS = tests/unit/engine tests/unit/policy \
	tests/unit/order tests/unit/guest-requests tests/unit/stale-flags \
	tests/unit/proactive \
	tests/unit/wss tests/unit/wss-engine \
	tests/unit/huge tests/unit/engine-lock-hold tests/unit/evict-fails \
	tests/unit/engine-pause tests/unit/harvest-stop
check_PROGRAMS += $(ENGINE_TESTS)
TESTS += $(ENGINE_TESTS)
noinst_HEADERS += tests/unit/engine-vm.h tests/unit/swap-works.h
tests_unit_stale_flags_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_stale_flags_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_guest_requests_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_guest_requests_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_guest_requests_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=view_get_stats
tests_unit_order_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_order_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_order_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pressure_available
tests_unit_evict_fails_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_evict_fails_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_proactive_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_proactive_LDADD = $(VMM_LIBS)
tests_unit_engine_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_engine_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_engine_pause_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_engine_pause_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_harvest_stop_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_harvest_stop_LDADD = $(VMM_LIBS)
tests_unit_engine_lock_hold_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_engine_lock_hold_LDADD = $(VMM_LIBS)
tests_unit_engine_lock_hold_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=view_rdlock -Wl,--wrap=view_unlock \
	-Wl,--wrap=pthread_mutex_unlock -Wl,--wrap=frame_observe \
	-Wl,--wrap=frame_min_idle -Wl,--wrap=frame_is_evicted \
	-Wl,--wrap=rmap_page_referenced -Wl,--wrap=rmap_page_unevictable \
	-Wl,--wrap=rmap_walk
tests_unit_policy_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_policy_LDADD = $(VMM_LIBS)
tests_unit_wss_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_wss_LDADD = $(VMM_LIBS)
tests_unit_huge_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_huge_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_wss_engine_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_wss_engine_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)

noinst_HEADERS += tests/unit/doctor-cases.h
check_PROGRAMS += tests/unit/doctor
TESTS += tests/unit/doctor
tests_unit_doctor_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_doctor_LDADD = $(VMM_LIBS)

HELPER_TESTS = tests/unit/damon-borrow.sh tests/unit/make-swap.sh \
	tests/unit/require.sh
TESTS += $(HELPER_TESTS)
dist_check_SCRIPTS += $(HELPER_TESTS)
VIEW_TESTS = tests/unit/guest-walk tests/unit/guest-pte tests/unit/view \
	tests/unit/view-flags tests/unit/epoch-end \
	tests/unit/rmap-record
check_PROGRAMS += $(VIEW_TESTS)
TESTS += $(VIEW_TESTS)
tests_unit_guest_pte_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_guest_pte_LDADD = $(VMM_LIBS)
tests_unit_guest_pte_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=view_unlock
tests_unit_guest_walk_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_guest_walk_LDADD = $(VMM_LIBS)
tests_unit_epoch_end_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_epoch_end_LDADD = $(VMM_LIBS)
tests_unit_epoch_end_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=memmove \
	-Wl,--wrap=rmap_mm_remove -Wl,--wrap=view_unlock
tests_unit_view_flags_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_view_flags_LDADD = $(VMM_LIBS)
tests_unit_view_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_view_LDADD = $(VMM_LIBS)
tests_unit_rmap_record_SOURCES = tests/unit/rmap-record.c \
	tests/bench/rmap-trace.c tests/bench/rmap-trace.h
tests_unit_rmap_record_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_rmap_record_LDADD = $(VMM_LIBS)

# Man pages against --help, and links of the documents.
dist_check_SCRIPTS += tests/unit/docs.sh
TESTS += tests/unit/docs.sh
# The includes of each folder against the table of architecture.md.
dist_check_SCRIPTS += tests/unit/includes.sh tests/unit/vmm-symbols.sh
TESTS += tests/unit/includes.sh tests/unit/vmm-symbols.sh

# The module's sources, as DKMS builds them.
dist_check_SCRIPTS += tests/unit/kmod-dkms.sh
TESTS += tests/unit/kmod-dkms.sh

# vmm balance: decisions, its configuration, and the sockets it uses.
BALANCE_TESTS = tests/unit/balance tests/unit/balance-guests
check_PROGRAMS += $(BALANCE_TESTS)
TESTS += $(BALANCE_TESTS)
tests_unit_balance_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_balance_LDADD = $(VMM_LIBS) -lm
tests_unit_balance_guests_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_balance_guests_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/unit/top
TESTS += tests/unit/top
tests_unit_top_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_top_LDADD = $(VMM_LIBS)

NUMA_TESTS = tests/unit/numa tests/unit/sink-numa tests/unit/nodes \
	tests/unit/sink-numa-discard
check_PROGRAMS += $(NUMA_TESTS)
TESTS += $(NUMA_TESTS)
tests_unit_numa_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_numa_LDADD = $(VMM_LIBS)
tests_unit_sink_numa_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_nodes_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_nodes_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
tests_unit_sink_numa_LDADD = $(VMM_LIBS)
tests_unit_sink_numa_discard_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_sink_numa_discard_LDADD = $(VMM_LIBS)
tests_unit_sink_numa_discard_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=move_pages \
	-Wl,--wrap=host_numa_nodes

check_PROGRAMS += tests/unit/prefetch
TESTS += tests/unit/prefetch
tests_unit_prefetch_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_prefetch_LDADD = tests/unit/libfake-source.a $(VMM_LIBS)
check_PROGRAMS += tests/unit/domain-xml
TESTS += tests/unit/domain-xml
tests_unit_domain_xml_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_domain_xml_LDADD = $(VMM_LIBS)
check_PROGRAMS += tests/unit/experiment
TESTS += tests/unit/experiment
tests_unit_experiment_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_experiment_LDADD = $(VMM_LIBS)

# The alarms of docs/prometheus-rules.yml.
dist_check_SCRIPTS += tests/unit/prometheus-rules.sh
EXTRA_DIST += tests/unit/get-promtool
EXTRA_DIST += tests/unit/prometheus-rules-test.yml
TESTS += tests/unit/prometheus-rules.sh
ATTACH_TESTS = tests/unit/qemu-layout tests/unit/qemu-place \
	tests/unit/remote-mem
check_PROGRAMS += $(ATTACH_TESTS)
TESTS += $(ATTACH_TESTS)
tests_unit_qemu_layout_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_qemu_layout_LDADD = $(VMM_LIBS)
tests_unit_qemu_place_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_qemu_place_LDADD = $(VMM_LIBS)
tests_unit_remote_mem_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_remote_mem_LDADD = $(VMM_LIBS)

# The client of QEMU's monitor.
check_PROGRAMS += tests/unit/qmp
TESTS += tests/unit/qmp
tests_unit_qmp_CPPFLAGS = $(vmm_libvmm_a_CPPFLAGS)
tests_unit_qmp_LDADD = $(VMM_LIBS)
