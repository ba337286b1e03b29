// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <string.h>

#include "vmm/kvm/aml.h"

void aml_bytes(struct aml *a, const void *data, size_t len)
{
	if (len > a->max - a->len) {
		a->full = true;
		return;
	}
	memcpy(a->buf + a->len, data, len);
	a->len += len;
}

void aml_u8(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

void aml_uint(struct aml *a, uint64_t v, unsigned int nr_bytes)
{
	for (unsigned int i = 0; i < nr_bytes; i++)
		aml_u8(a, v >> 8 * i);
}

size_t aml_begin(struct aml *a, unsigned int opcode)
{
	if (opcode > 0xff)
		aml_u8(a, opcode >> 8);
	aml_u8(a, opcode);
	return a->len;
}

/*
 * PkgLength counts itself.  One byte up to 63; else the first byte has the
 * number of bytes that follow in bits 7:6 and the low four bits of the length.
 */
static unsigned int put_pkg_length(uint8_t out[3], size_t content)
{
	if (content + 1 < 64) {
		out[0] = content + 1;
		return 1;
	}
	if (content + 2 < 4096) {
		out[0] = 0x40 | ((content + 2) & 0xf);
		out[1] = (content + 2) >> 4;
		return 2;
	}
	out[0] = 0x80 | ((content + 3) & 0xf);
	out[1] = (content + 3) >> 4;
	out[2] = (content + 3) >> 12;
	return 3;
}

void aml_end(struct aml *a, size_t start)
{
	size_t content = a->len - start;
	uint8_t pkg[3];
	unsigned int n = put_pkg_length(pkg, content);

	if (n > a->max - a->len) {
		a->full = true;
		return;
	}
	memmove(a->buf + start + n, a->buf + start, content);
	memcpy(a->buf + start, pkg, n);
	a->len += n;
}

void aml_name(struct aml *a, const char seg[4])
{
	aml_u8(a, 0x08);
	aml_bytes(a, seg, 4);
}

void aml_string(struct aml *a, const char *s)
{
	aml_u8(a, 0x0d);
	aml_bytes(a, s, strlen(s) + 1);
}

void aml_byte(struct aml *a, uint8_t v)
{
	aml_u8(a, 0x0a);
	aml_u8(a, v);
}

void aml_dword(struct aml *a, uint32_t v)
{
	aml_u8(a, 0x0c);
	aml_uint(a, v, 4);
}

/* The buffer's size is a byte constant: our templates are short. */
size_t aml_begin_crs(struct aml *a)
{
	size_t start;

	aml_name(a, "_CRS");
	start = aml_begin(a, AML_BUFFER);
	aml_u8(a, 0x0a);
	aml_u8(a, 0);
	return start;
}

void aml_end_crs(struct aml *a, size_t start)
{
	aml_u8(a, 0x79);	/* end tag, checksum 0: not checked */
	aml_u8(a, 0);
	if (!a->full)
		a->buf[start + 1] = a->len - (start + 2);
	aml_end(a, start);
}

void aml_res_memory(struct aml *a, uint32_t base, uint32_t len)
{
	aml_u8(a, 0x86);	/* 32-bit fixed memory range */
	aml_uint(a, 9, 2);
	aml_u8(a, 1);		/* read-write */
	aml_uint(a, base, 4);
	aml_uint(a, len, 4);
}

void aml_res_io(struct aml *a, uint16_t base, uint8_t len)
{
	aml_u8(a, 0x47);	/* I/O port */
	aml_u8(a, 1);		/* decodes 16 bits */
	aml_uint(a, base, 2);
	aml_uint(a, base, 2);
	aml_u8(a, 1);
	aml_u8(a, len);
}

void aml_res_irq(struct aml *a, uint32_t gsi)
{
	aml_u8(a, 0x89);	/* extended interrupt */
	aml_uint(a, 6, 2);
	aml_u8(a, 0x03);	/* consumer, edge, active high, exclusive */
	aml_u8(a, 1);
	aml_uint(a, gsi, 4);
}
