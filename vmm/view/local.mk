# vmm/view
