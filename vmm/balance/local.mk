vmm_libvmm_a_SOURCES += \
	vmm/balance/balance.c vmm/balance/balance.h \
	vmm/balance/balance-config.c vmm/balance/balance-config.h \
	vmm/balance/cost.c \
	vmm/balance/curve.c vmm/balance/curve.h \
	vmm/balance/guests.c vmm/balance/guests.h
