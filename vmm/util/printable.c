// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <stdint.h>

#include "vmm/util/printable.h"

void printable_make(char *text)
{
	for (unsigned char *u = (unsigned char *)text; *u; u++) {
		if (*u < ' ' || *u == 0x7f)
			*u = '?';
		else if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0)
			u[0] = u[1] = '?';
	}
}

/*
 * The length of the UTF-8 character at `u`, or 0 if it is invalid: an overlong
 * form, half of a surrogate pair, above U+10FFFF, or incomplete.
 */
static unsigned int utf8_len(const unsigned char *u)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = u[0] < 0x80 ? 1 : u[0] < 0xc0 ? 0 : u[0] < 0xe0 ? 2 :
			   u[0] < 0xf0 ? 3 : u[0] < 0xf8 ? 4 : 0;
	uint32_t c = len < 2 ? u[0] : u[0] & (0x7f >> len);

	for (unsigned int i = 1; i < len; i++) {
		/* The terminating zero is no continuation either. */
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ?
		       0 : len;
}

void printable_make_utf8(char *text)
{
	for (unsigned char *u = (unsigned char *)text; *u;) {
		unsigned int len = utf8_len(u);

		if (!len)
			*u = '?';
		u += len ? len : 1;
	}
}

void printable_put_label(FILE *out, const char *text)
{
	unsigned int len;

	for (; *text; text += len ? len : 1) {
		len = utf8_len((const unsigned char *)text);
		if (!len) {
			fputc('?', out);
		} else if (*text == '\n') {
			fputs("\\n", out);
		} else {
			if (*text == '"' || *text == '\\')
				fputc('\\', out);
			fwrite(text, 1, len, out);
		}
	}
}
