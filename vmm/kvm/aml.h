/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes bytes to a buffer, and the few AML terms (ACPI 6.4, chapter 20) that
 * our DSDT needs.  Bytes that do not fit are dropped and `full` is set.
 */
#ifndef VMM_KVM_AML_H
#define VMM_KVM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t len, max;
	bool full;
};

void aml_bytes(struct aml *a, const void *data, size_t len);
void aml_u8(struct aml *a, uint8_t v);
/* Little-endian, nr_bytes of v. */
void aml_uint(struct aml *a, uint64_t v, unsigned int nr_bytes);

/*
 * A term with a PkgLength: aml_begin() writes the opcode (one or two bytes) and
 * returns where the term starts; aml_end() fills in the length.
 */
size_t aml_begin(struct aml *a, unsigned int opcode);
void aml_end(struct aml *a, size_t start);

#define AML_SCOPE   0x10
#define AML_BUFFER  0x11
#define AML_PACKAGE 0x12
#define AML_DEVICE  0x5b82

/* Name(seg, ...): the value follows. */
void aml_name(struct aml *a, const char seg[4]);
void aml_string(struct aml *a, const char *s);
void aml_byte(struct aml *a, uint8_t v);
void aml_dword(struct aml *a, uint32_t v);

/* Name(_CRS, ResourceTemplate() {...}): descriptors go between the two. */
size_t aml_begin_crs(struct aml *a);
void aml_end_crs(struct aml *a, size_t start);
void aml_res_memory(struct aml *a, uint32_t base, uint32_t len);
void aml_res_io(struct aml *a, uint16_t base, uint8_t len);
/* Edge-triggered, active high, exclusive. */
void aml_res_irq(struct aml *a, uint32_t gsi);

#endif
