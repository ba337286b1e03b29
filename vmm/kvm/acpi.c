// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/acpi.h"
#include "vmm/kvm/acpi-internal.h"
#include "vmm/kvm/aml.h"
#include "vmm/kvm/layout.h"
#include "vmm/kvm/vm-internal.h"
#include "vmm/kvm/vm.h"

#define HEADER_BYTES 36
#define OFF_LENGTH   4
#define OFF_CHECKSUM 9
#define RSDP_BYTES   36
#define FACS_BYTES   64

/* Fixed feature flags of the FADT. */
#define FADT_WBINVD	     (1u << 0)
#define FADT_PROC_C1	     (1u << 2)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_RESET_REG	     (1u << 10)
/* IA-PC boot architecture flags. */
#define IAPC_LEGACY	     (1u << 0)
#define IAPC_NO_VGA	     (1u << 2)
#define IAPC_NO_CMOS_RTC     (1u << 5)

#define GAS_IO 1

struct tables {
	struct aml a;			/* all of them, from LAYOUT_ACPI */
	uint64_t xsdt, dsdt, facs, fadt, madt;	/* gpa of each */
	uint64_t srat, slit;		/* likewise; 0: no NUMA nodes */
};

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

/* Tables are aligned to 64 bytes, as the FACS must be. */
size_t acpi_begin_table(struct aml *a, const char *signature,
			unsigned int revision, uint64_t *gpa)
{
	size_t start;

	while (a->len % 64 && !a->full)
		aml_u8(a, 0);
	start = a->len;
	*gpa = LAYOUT_ACPI + start;
	aml_bytes(a, signature, 4);
	aml_uint(a, 0, 4);		/* length, by acpi_end_table() */
	aml_u8(a, revision);
	aml_u8(a, 0);			/* checksum, likewise */
	aml_bytes(a, "VMM   ", 6);
	aml_bytes(a, "VMMTABLE", 8);
	aml_uint(a, 1, 4);
	aml_bytes(a, "VMM ", 4);
	aml_uint(a, 1, 4);
	return start;
}

void acpi_end_table(struct aml *a, size_t start)
{
	uint8_t *t = a->buf + start;
	uint32_t len = a->len - start;

	if (a->full)
		return;
	memcpy(t + OFF_LENGTH, &len, sizeof(len));
	t[OFF_CHECKSUM] = checksum(t, len);
}

static void add_uart(struct aml *a)
{
	size_t dev = aml_begin(a, AML_DEVICE), crs;

	aml_bytes(a, "COM1", 4);
	aml_name(a, "_HID");
	aml_dword(a, 0x0105d041);	/* EISAID("PNP0501") */
	aml_name(a, "_UID");
	aml_dword(a, 1);
	crs = aml_begin_crs(a);
	aml_res_io(a, PORT_COM1, 8);
	aml_res_irq(a, GSI_COM1);
	aml_end_crs(a, crs);
	aml_end(a, dev);
}

static void add_pvpanic(struct aml *a)
{
	size_t dev = aml_begin(a, AML_DEVICE), crs;

	aml_bytes(a, "PEVT", 4);
	aml_name(a, "_HID");
	aml_string(a, "QEMU0001");
	crs = aml_begin_crs(a);
	aml_res_io(a, PORT_PVPANIC, 1);
	aml_end_crs(a, crs);
	aml_end(a, dev);
}

static void add_virtio(struct aml *a, const struct vm *vm, unsigned int i)
{
	size_t dev = aml_begin(a, AML_DEVICE), crs;
	char seg[5];

	snprintf(seg, sizeof(seg), "VR%02u", i % 100);
	aml_bytes(a, seg, 4);
	aml_name(a, "_HID");
	aml_string(a, "LNRO0005");
	aml_name(a, "_UID");
	aml_dword(a, i);
	aml_name(a, "_CCA");		/* caches are coherent */
	aml_dword(a, 1);
	crs = aml_begin_crs(a);
	aml_res_memory(a, vm_window_gpa(vm, i), VM_VIRTIO_WINDOW_BYTES);
	aml_res_irq(a, vm_window_gsi(vm, i));
	aml_end_crs(a, crs);
	aml_end(a, dev);
}

static void write_dsdt(struct tables *t, const struct vm *vm)
{
	struct aml *a = &t->a;
	size_t table = acpi_begin_table(a, "DSDT", 2, &t->dsdt), scope, package;

	scope = aml_begin(a, AML_SCOPE);
	aml_bytes(a, "\\_SB_", 5);
	add_uart(a);
	add_pvpanic(a);
	for (unsigned int i = 0; i < vm_nr_windows(vm); i++)
		add_virtio(a, vm, i);
	aml_end(a, scope);
	aml_name(a, "_S5_");
	package = aml_begin(a, AML_PACKAGE);
	aml_u8(a, 4);
	aml_byte(a, ACPI_SLEEP_TYPE_S5);
	aml_byte(a, ACPI_SLEEP_TYPE_S5);
	aml_byte(a, 0);
	aml_byte(a, 0);
	aml_end(a, package);
	acpi_end_table(a, table);
}

static void write_facs(struct tables *t)
{
	struct aml *a = &t->a;
	uint8_t facs[FACS_BYTES] = "FACS";

	while (a->len % 64 && !a->full)
		aml_u8(a, 0);
	t->facs = LAYOUT_ACPI + a->len;
	facs[OFF_LENGTH] = FACS_BYTES;
	facs[32] = 2;			/* version */
	aml_bytes(a, facs, sizeof(facs));
}

/* Writes a generic address: an I/O port with that number of bits. */
static void put_gas(struct aml *a, uint64_t port, unsigned int bits)
{
	aml_u8(a, GAS_IO);
	aml_u8(a, bits);
	aml_u8(a, 0);
	aml_u8(a, bits / 8);
	aml_uint(a, port, 8);
}

static void put_zeros(struct aml *a, unsigned int n)
{
	while (n--)
		aml_u8(a, 0);
}

static void write_fadt(struct tables *t)
{
	struct aml *a = &t->a;
	size_t table = acpi_begin_table(a, "FACP", 6, &t->fadt);

	aml_uint(a, t->facs, 4);
	aml_uint(a, t->dsdt, 4);
	put_zeros(a, 2);		/* reserved, any profile */
	aml_uint(a, GSI_SCI, 2);
	put_zeros(a, 8);		/* no SMI: always in ACPI mode */
	aml_uint(a, PORT_PM1_EVENT, 4);
	aml_uint(a, 0, 4);
	aml_uint(a, PORT_PM1_CONTROL, 4);
	put_zeros(a, 5 * 4);		/* PM1b, PM2, timer, GPE0, GPE1 */
	aml_u8(a, 4);			/* PM1 event length */
	aml_u8(a, 2);			/* PM1 control length */
	put_zeros(a, 6);
	aml_uint(a, 0x0fff, 2);		/* no C2 */
	aml_uint(a, 0x0fff, 2);		/* no C3 */
	put_zeros(a, 9);		/* flush, duty, alarms, century */
	aml_uint(a, IAPC_LEGACY | IAPC_NO_VGA | IAPC_NO_CMOS_RTC, 2);
	aml_u8(a, 0);
	aml_uint(a, FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON |
		    FADT_NO_SLEEP_BUTTON | FADT_RESET_REG, 4);
	put_gas(a, PORT_RESET, 8);
	aml_u8(a, 6);			/* what to write there */
	put_zeros(a, 2);
	aml_u8(a, 4);			/* minor version */
	aml_uint(a, 0, 8);		/* FACS: by the 32-bit field */
	aml_uint(a, t->dsdt, 8);
	put_gas(a, PORT_PM1_EVENT, 32);
	put_zeros(a, 12);
	put_gas(a, PORT_PM1_CONTROL, 16);
	put_zeros(a, 7 * 12);		/* PM1b ... sleep status */
	aml_bytes(a, "VMM\0\0\0\0", 8);
	acpi_end_table(a, table);
}

static void write_madt(struct tables *t, const struct vm *vm)
{
	struct aml *a = &t->a;
	size_t table = acpi_begin_table(a, "APIC", 5, &t->madt);

	aml_uint(a, LAYOUT_LAPIC, 4);
	aml_uint(a, 1, 4);		/* there is a pair of 8259s too */
	for (unsigned int i = 0; i < vm_nr_cpus(vm); i++) {
		aml_u8(a, 0);		/* local APIC */
		aml_u8(a, 8);
		aml_u8(a, i);
		aml_u8(a, i);
		aml_uint(a, 1, 4);	/* enabled */
	}
	aml_u8(a, 1);			/* I/O APIC */
	aml_u8(a, 12);
	aml_uint(a, 0, 2);
	aml_uint(a, LAYOUT_IOAPIC, 4);
	aml_uint(a, 0, 4);
	aml_u8(a, 2);			/* ISA interrupt 0, the PIT, on GSI 2 */
	aml_u8(a, 10);
	aml_uint(a, 0, 2);
	aml_uint(a, 2, 4);
	aml_uint(a, 0, 2);
	acpi_end_table(a, table);
}

static void write_xsdt(struct tables *t)
{
	struct aml *a = &t->a;
	size_t table = acpi_begin_table(a, "XSDT", 1, &t->xsdt);

	aml_uint(a, t->fadt, 8);
	aml_uint(a, t->madt, 8);
	if (t->srat) {
		aml_uint(a, t->srat, 8);
		aml_uint(a, t->slit, 8);
	}
	acpi_end_table(a, table);
}

static void write_rsdp(struct tables *t, uint8_t *rsdp)
{
	uint32_t len = RSDP_BYTES;

	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "VMM   ", 6);
	rsdp[15] = 2;			/* ACPI 2.0 and later */
	memcpy(rsdp + 20, &len, 4);
	memcpy(rsdp + 24, &t->xsdt, 8);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, RSDP_BYTES);
}

int acpi_write(struct vm *vm)
{
	size_t max = LAYOUT_ACPI_END - LAYOUT_ACPI;
	struct tables t = { .a = { .max = max } };

	t.a.buf = guest_mem_ptr(vm_mem(vm), GPA(LAYOUT_ACPI), max);
	if (!t.a.buf)
		return -EFAULT;
	memset(t.a.buf, 0, max);
	t.a.len = RSDP_BYTES;
	write_dsdt(&t, vm);
	write_facs(&t);
	write_fadt(&t);
	write_madt(&t, vm);
	if (vm_numa(vm)) {
		acpi_write_srat(&t.a, vm, &t.srat);
		acpi_write_slit(&t.a, vm, &t.slit);
	}
	write_xsdt(&t);
	write_rsdp(&t, t.a.buf);
	return t.a.full ? -ENOSPC : 0;
}
