# vmm/reclaim
