# vmm/kmod: the kvm-young module.  `make kmod` builds it against the kernel
# headers of KVER: the running kernel's, or else the newest installed ones.
# Not part of `make all`: it needs headers, and a host may use another source.
KMOD_FILES = vmm/kmod/Kbuild vmm/kmod/kvm-young.h vmm/kmod/kvm-young-abi.h \
	vmm/kmod/kvm-layout.h vmm/kmod/main.c vmm/kmod/kvm.c vmm/kmod/scan.c \
	vmm/kmod/table-walk.c vmm/kmod/leaf.c vmm/kmod/entry.c vmm/kmod/verify.c
EXTRA_DIST += $(KMOD_FILES) vmm/kmod/dkms.conf.in vmm/kmod/README.md \
	vmm/kmod/build

kmod:
	$(AM_V_GEN)$(srcdir)/vmm/kmod/build $(srcdir)/vmm/kmod \
		$(builddir)/vmm/kmod '$(KVER)'
.PHONY: kmod

# For DKMS, which looks for sources in /usr/src/NAME-VERSION, and registers
# them with `dkms add kvm-young/VERSION`.
KMOD_DKMS_DIR = $(DESTDIR)/usr/src/kvm-young-$(PACKAGE_VERSION)
install-dkms:
	$(MKDIR_P) '$(KMOD_DKMS_DIR)'
	for f in $(KMOD_FILES); do \
		$(INSTALL_DATA) "$(srcdir)/$$f" '$(KMOD_DKMS_DIR)' || exit 1; \
	done
	sed 's/@VERSION[@]/$(PACKAGE_VERSION)/' $(srcdir)/vmm/kmod/dkms.conf.in \
		>'$(KMOD_DKMS_DIR)/dkms.conf'
uninstall-dkms:
	rm -rf '$(KMOD_DKMS_DIR)'
.PHONY: install-dkms uninstall-dkms

clean-local: clean-kmod
clean-kmod:
	rm -rf $(builddir)/vmm/kmod/module $(builddir)/tests/lab/kmod
.PHONY: clean-kmod
