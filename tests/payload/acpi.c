// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of ACPI that are needed: the number of processors (MADT) and how to
 * power off (FADT, and the _S5_ package in the DSDT).
 */
#include "tests/payload/payload.h"

#define HEADER_BYTES		36
#define FADT_DSDT		40
#define FADT_PM1A_CNT		64
#define FADT_FLAGS		112
#define FADT_X_DSDT		140
#define FADT_SLEEP_CONTROL	244	/* a generic address: address at +4 */
#define FADT_HW_REDUCED		(1u << 20)
#define MADT_ENTRIES		44
#define MADT_LOCAL_APIC		0
#define MADT_LOCAL_X2APIC	9
#define SLP_EN			(1u << 13)

static uint16_t pm1a_cnt, sleep_control;
static uint8_t s5_type = 5;
static unsigned int nr_processors;

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Name(_S5_, Package() { type, ... }): 08 "_S5_" 12 length count value... */
static void read_s5(const uint8_t *dsdt)
{
	uint32_t len = get32(dsdt + 4);

	for (uint32_t i = HEADER_BYTES; i + 12 < len; i++) {
		const uint8_t *p = dsdt + i;

		if (memcmp(p, "_S5_", 4) || p[4] != 0x12)
			continue;
		p += 5;
		p += 1 + (p[0] >> 6);	/* package length: 1 to 4 bytes */
		p++;			/* count */
		s5_type = p[0] == 0x0a ? p[1] : p[0] & 1;
		return;
	}
}

static void read_fadt(const uint8_t *fadt)
{
	uint32_t len = get32(fadt + 4);
	uint64_t dsdt = get32(fadt + FADT_DSDT);

	if (len >= FADT_X_DSDT + 8 && get64(fadt + FADT_X_DSDT))
		dsdt = get64(fadt + FADT_X_DSDT);
	if (dsdt)
		read_s5((const uint8_t *)dsdt);
	pm1a_cnt = (uint16_t)get32(fadt + FADT_PM1A_CNT);
	if (len >= FADT_SLEEP_CONTROL + 12 &&
	    get32(fadt + FADT_FLAGS) & FADT_HW_REDUCED)
		sleep_control = (uint16_t)get64(fadt + FADT_SLEEP_CONTROL + 4);
}

static void read_madt(const uint8_t *madt)
{
	uint32_t len = get32(madt + 4);

	for (uint32_t i = MADT_ENTRIES; i + 2 <= len && madt[i + 1];
	     i += madt[i + 1]) {
		const uint8_t *e = madt + i;

		if (e[0] == MADT_LOCAL_APIC && i + 8 <= len)
			nr_processors += get32(e + 4) & 1;
		else if (e[0] == MADT_LOCAL_X2APIC && i + 12 <= len)
			nr_processors += get32(e + 8) & 1;
	}
}

void acpi_init(uint64_t rsdp)
{
	const uint8_t *xsdt;
	uint32_t len;

	if (!rsdp || memcmp((const void *)rsdp, "RSD PTR ", 8))
		return;
	xsdt = (const uint8_t *)get64((const uint8_t *)rsdp + 24);
	if (!xsdt || memcmp(xsdt, "XSDT", 4))
		return;
	len = get32(xsdt + 4);
	for (uint32_t i = HEADER_BYTES; i + 8 <= len; i += 8) {
		const uint8_t *table = (const uint8_t *)get64(xsdt + i);

		if (!memcmp(table, "FACP", 4))
			read_fadt(table);
		else if (!memcmp(table, "APIC", 4))
			read_madt(table);
	}
}

unsigned int acpi_nr_processors(void)
{
	return nr_processors;
}

void power_off(void)
{
	if (sleep_control)
		outb(sleep_control, (uint8_t)(s5_type << 2 | 1u << 5));
	if (pm1a_cnt)
		outw(pm1a_cnt, (uint16_t)(s5_type << 10 | SLP_EN));
	/* Nobody listens: at least reset, by the keyboard controller. */
	outb(0x64, 0xfe);
	for (;;)
		cpu_relax();
}
