// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/legacy.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vm.h"

#define PM1_SCI_ENABLED	 0x0001
#define PM1_SLEEP_TYPE(v) ((v) >> 10 & 7)
#define PM1_SLEEP_ENABLE 0x2000
#define RESET_NOW	 0x04
#define I8042_COMMAND	 4
#define I8042_RESET_LINE 0xfe
#define PVPANIC_PANICKED 0x01

struct legacy {
	struct vm *vm;
	uint8_t pm1_enable[2];		/* atomic bytes: events never occur */
};

static uint16_t first_word(const void *data, unsigned int len)
{
	uint16_t v = 0;

	memcpy(&v, data, len < sizeof(v) ? len : sizeof(v));
	return v;
}

static void read_zero(void *dev, uint64_t off, void *data, unsigned int len)
{
	memset(data, 0, len);
}

/*
 * No event ever happens, so status is 0; but the enable register, the upper
 * half, keeps its value: ACPICA checks that.
 */
static void pm1_event_read(void *dev, uint64_t off, void *data,
			   unsigned int len)
{
	const struct legacy *l = dev;
	uint8_t *bytes = data;

	for (unsigned int i = 0; i < len; i++)
		bytes[i] = off + i < 2 ? 0 :
			__atomic_load_n(&l->pm1_enable[off + i - 2],
					__ATOMIC_RELAXED);
}

static void pm1_event_write(void *dev, uint64_t off, const void *data,
			    unsigned int len)
{
	const uint8_t *bytes = data;
	struct legacy *l = dev;

	for (unsigned int i = 0; i < len; i++)
		if (off + i >= 2)
			__atomic_store_n(&l->pm1_enable[off + i - 2], bytes[i],
					 __ATOMIC_RELAXED);
}

static void pm1_control_read(void *dev, uint64_t off, void *data,
			     unsigned int len)
{
	memset(data, 0, len);
	if (!off)
		*(uint8_t *)data = PM1_SCI_ENABLED;
}

static void pm1_control_write(void *dev, uint64_t off, const void *data,
			      unsigned int len)
{
	uint16_t v = first_word(data, len);

	/* A write of the upper byte alone has all the bits used here. */
	if (off)
		v <<= 8;
	if ((v & PM1_SLEEP_ENABLE) &&
	    PM1_SLEEP_TYPE(v) == ACPI_SLEEP_TYPE_S5)
		vm_stop(((struct legacy *)dev)->vm, VM_END_POWEROFF);
}

static void reset_write(void *dev, uint64_t off, const void *data,
			unsigned int len)
{
	if (*(const uint8_t *)data & RESET_NOW)
		vm_stop(((struct legacy *)dev)->vm, VM_END_RESET);
}

static void i8042_write(void *dev, uint64_t off, const void *data,
			unsigned int len)
{
	if (off == I8042_COMMAND &&
	    *(const uint8_t *)data == I8042_RESET_LINE)
		vm_stop(((struct legacy *)dev)->vm, VM_END_RESET);
}

static void pvpanic_read(void *dev, uint64_t off, void *data, unsigned int len)
{
	memset(data, 0, len);
	*(uint8_t *)data = PVPANIC_PANICKED;
}

static void pvpanic_write(void *dev, uint64_t off, const void *data,
			  unsigned int len)
{
	if (*(const uint8_t *)data & PVPANIC_PANICKED)
		vm_stop(((struct legacy *)dev)->vm, VM_END_PANIC);
}

static const struct {
	uint16_t port, len;
	const char *name;
	struct bus_ops ops;
} ports[] = {
	{ PORT_PM1_EVENT, 4, "PM1 event", { pm1_event_read, pm1_event_write } },
	{ PORT_PM1_CONTROL, 2, "PM1 control",
	  { pm1_control_read, pm1_control_write } },
	{ PORT_RESET, 1, "reset", { read_zero, reset_write } },
	{ PORT_I8042, 5, "keyboard controller", { read_zero, i8042_write } },
	{ PORT_PVPANIC, 1, "pvpanic", { pvpanic_read, pvpanic_write } },
};

int legacy_new(struct legacy **lp, struct vm *vm)
{
	struct legacy *l = calloc(1, sizeof(*l));
	int rc = l ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < sizeof(ports) / sizeof(ports[0]); i++)
		rc = bus_add(vm_pio(vm), ports[i].port, ports[i].len,
			     ports[i].name, &ports[i].ops, l);
	if (rc) {
		free(l);
		return rc;
	}
	l->vm = vm;
	*lp = l;
	return 0;
}

void legacy_free(struct legacy *l)
{
	free(l);
}
