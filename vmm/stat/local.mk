# vmm/stat
