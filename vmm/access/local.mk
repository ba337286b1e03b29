# vmm/access
