# vmm/kmod: the kvm-young module.  `make kmod` builds it against the kernel
# headers of KVER: the running kernel's, or else the newest installed ones.
# Not part of `make all`: it needs headers, and a host may use another source.
KMOD_FILES = vmm/kmod/Kbuild vmm/kmod/dkms.conf vmm/kmod/kvm_young.h \
	vmm/kmod/kvm_young_abi.h vmm/kmod/main.c vmm/kmod/walk.c
EXTRA_DIST += $(KMOD_FILES) vmm/kmod/README.md vmm/kmod/build

kmod:
	$(AM_V_GEN)$(srcdir)/vmm/kmod/build $(srcdir)/vmm/kmod \
		$(builddir)/vmm/kmod '$(KVER)'
.PHONY: kmod

# dkms add, build and install find it in /usr/src.
install-kmod-source:
	$(MKDIR_P) $(DESTDIR)/usr/src/kvm-young-1
	for f in $(KMOD_FILES); do \
		$(INSTALL_DATA) $(srcdir)/$$f $(DESTDIR)/usr/src/kvm-young-1; \
	done
.PHONY: install-kmod-source

clean-local: clean-kmod
clean-kmod:
	rm -rf $(builddir)/vmm/kmod/module
.PHONY: clean-kmod
