# vmm/mem
