// SPDX-License-Identifier: GPL-2.0-or-later
/* Reports: one JSON object a line on the first serial port. */
#include "tests/payload/payload.h"

#define COM1		0x3f8
#define LINE_STATUS	(COM1 + 5)
#define DATA_READY	1
#define TRANSMITTER_READY 0x20	/* for a line at least: vmm/dev/serial.c */

static char line[768];
static size_t len;

static void put(char c)
{
	if (len < sizeof(line) - 3)
		line[len++] = c;
}

static void put_text(const char *s)
{
	put('"');
	for (; *s && *s != ' '; s++) {
		if (*s == '"' || *s == '\\')
			put('\\');
		put(*s < ' ' ? '?' : *s);
	}
	put('"');
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[24];
	int nr = 0;

	do {
		digits[nr++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (nr)
		put(digits[--nr]);
}

static void put_key(const char *key)
{
	if (len > 1)
		put(',');
	put_text(key);
	put(':');
}

void json_open(const char *event)
{
	len = 0;
	put('{');
	json_text("event", event);
}

void json_u64(const char *key, uint64_t value)
{
	put_key(key);
	put_number(value, 10);
}

void json_hex(const char *key, uint64_t value)
{
	put_key(key);
	put('"');
	put('0');
	put('x');
	put_number(value, 16);
	put('"');
}

void json_text(const char *key, const char *value)
{
	put_key(key);
	put_text(value);
}

void json_close(void)
{
	const char *from = line;

	line[len++] = '}';
	line[len++] = '\n';
	while (!(inb(LINE_STATUS) & TRANSMITTER_READY))
		cpu_relax();
	__asm__ volatile("rep outsb"
			 : "+S"(from), "+c"(len) : "d"(COM1) : "memory");
	len = 0;
}

bool serial_asks_to_stop(void)
{
	return inb(LINE_STATUS) & DATA_READY && inb(COM1) == 'q';
}
