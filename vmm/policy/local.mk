# vmm/policy
