# man pages (mdoc); tests/unit/docs.sh checks them against --help
dist_man_MANS += \
	docs/man/vmm.1 \
	docs/man/vmm-balance.1 docs/man/vmm-metrics.1 \
	docs/man/vmm-doctor.1 \
	docs/man/vmm-experiment.1 \
	docs/man/vmm-inspect.1 \
	docs/man/vmm-libvirt.1 \
	docs/man/vmm-policy.1 \
	docs/man/vmm-run.1 \
	docs/man/vmm-stat.1 \
	docs/man/vmm-attach.1 docs/man/vmm-top.1
EXTRA_DIST += docs/access.md docs/architecture.md docs/build.md
dist_man_MANS += docs/man/vmm-guest-agent.8
EXTRA_DIST += docs/protocol.md
EXTRA_DIST += docs/locking.md docs/operations.md docs/policy.md docs/store.md
EXTRA_DIST += docs/balance.md
EXTRA_DIST += docs/experiments.md docs/libvirt.md
EXTRA_DIST += docs/prometheus-rules.yml
