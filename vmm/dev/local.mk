# vmm/dev
