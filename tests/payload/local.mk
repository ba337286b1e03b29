# The payload guest: freestanding, so with flags of its own and no sanitizers.
# Installed, as `vmm experiment` runs it.
pkglibexec_PROGRAMS += tests/payload/payload.elf
PAYLOAD_SOURCES = guest-agent/protocol.c \
	tests/payload/entry.S tests/payload/acpi.c \
	tests/payload/agent.c tests/payload/args.c tests/payload/clock.c \
	tests/payload/hostile.c \
	tests/payload/latency.c tests/payload/main.c tests/payload/measure.c \
	tests/payload/memory.c tests/payload/pattern.c \
	tests/payload/random.c tests/payload/request.c \
	tests/payload/serial.c tests/payload/string.c \
	tests/payload/verify.c tests/payload/virtio.c tests/payload/vsock.c
tests_payload_payload_elf_SOURCES = $(PAYLOAD_SOURCES) \
	guest-agent/protocol.h tests/payload/payload.h tests/payload/layout.h \
	tests/payload/hostile.h tests/payload/request.h \
	tests/payload/virtio.h tests/payload/vsock.h
PAYLOAD_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -O2 -ffreestanding -fno-builtin \
	-fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small \
	-fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none
tests_payload_payload_elf_CFLAGS = $(PAYLOAD_CFLAGS)
tests_payload_payload_elf_CCASFLAGS = -fno-pic $(AM_CPPFLAGS)
tests_payload_payload_elf_LDFLAGS = -nostdlib -static \
	-Wl,-T,$(srcdir)/tests/payload/payload.lds -Wl,--build-id=none \
	-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
tests_payload_payload_elf_LDADD =
tests_payload_payload_elf_DEPENDENCIES = tests/payload/payload.lds
EXTRA_DIST += tests/payload/payload.lds

# What of it is pure, tested on the host.
check_PROGRAMS += tests/payload/pure
TESTS += tests/payload/pure
tests_payload_pure_SOURCES = tests/payload/pure.c tests/payload/args.c \
	tests/payload/latency.c \
	tests/payload/random.c tests/payload/verify.c
tests_payload_pure_CFLAGS = $(AM_CFLAGS)
