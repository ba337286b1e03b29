# vmm/kvm
