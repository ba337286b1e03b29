# vmm/kmod
