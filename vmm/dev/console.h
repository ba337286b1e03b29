/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of `vmm run`: passes standard input to the serial port.  A
 * terminal is put into raw mode and restored; Ctrl-A x ends the VM, Ctrl-A
 * Ctrl-A sends one Ctrl-A to the guest.  Input that is not a terminal has no
 * escape key.
 */
#ifndef VMM_DEV_CONSOLE_H
#define VMM_DEV_CONSOLE_H

struct console;
struct serial;
struct vm;

/* 0 or -errno. */
int console_new(struct console **cp, struct vm *vm, struct serial *serial);
/* Restores the terminal. */
void console_free(struct console *console);

#endif
