// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

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

void printable_put_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}
