// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams to the host: vsock, a virtio-serial port, a unix socket. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "guest-agent/agent.h"

static int connect_to(int family, const void *addr, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, addr, len) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int transport_vsock(unsigned int port)
{
	struct sockaddr_vm sa = { .svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST, .svm_port = port };

	return connect_to(AF_VSOCK, &sa, sizeof(sa));
}

int transport_unix(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	return connect_to(AF_UNIX, &sa, sizeof(sa));
}

int transport_serial(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

int out_flush(struct out *out)
{
	size_t at = 0;

	while (!out->error && at < out->fill) {
		ssize_t n = write(out->fd, out->buf + at, out->fill - at);

		if (n > 0)
			at += n;
		else if (errno != EINTR)
			out->error = -errno;
	}
	out->fill = 0;
	return out->error;
}

void out_send(struct out *out, const struct protocol_message *msg)
{
	size_t len;

	if (out->dump) {
		dump_message(out->dump, msg);
		return;
	}
	if (sizeof(out->buf) - out->fill < PROTOCOL_MAX_FRAME)
		out_flush(out);
	len = protocol_encode(msg, out->buf + out->fill,
			      sizeof(out->buf) - out->fill);
	out->fill += len;
	out->nr_bytes += len;
}

void dump_message(FILE *f, const struct protocol_message *m)
{
	switch (m->type) {
	case PROTOCOL_HELLO:
		fprintf(f, "hello features %#x frames %" PRIu64 "\n",
			m->hello.features, m->hello.nr_frames);
		break;
	case PROTOCOL_EPOCH_BEGIN:
		fprintf(f, "epoch %" PRIu64 "%s\n", m->epoch.number,
			m->epoch.flags ? " full" : "");
		break;
	case PROTOCOL_EPOCH_END:
		fprintf(f, "end %" PRIu64 "\n", m->epoch.number);
		break;
	case PROTOCOL_MM:
		fprintf(f, "process %u %s%s\n", m->mm.pid, m->mm.comm,
			m->mm.flags ? " delta" : "");
		break;
	case PROTOCOL_MM_END: fprintf(f, "process-end %u\n", m->pid); break;
	case PROTOCOL_FORGET: fprintf(f, "forget %u\n", m->pid); break;
	case PROTOCOL_VMA:
		fprintf(f, "%s %" PRIx64 "-%" PRIx64 " pgoff %" PRIx64
			" flags %#x dev %" PRIx64 " inode %" PRIu64 "\n",
			m->vma.op == 0 ? "vma" : m->vma.op == 1 ? "keep" :
			"gone", m->vma.start, m->vma.end, m->vma.pgoff,
			m->vma.flags, m->vma.dev, m->vma.inode);
		break;
	case PROTOCOL_RUNS:
		for (uint32_t i = 0; i < m->nr; i++)
			fprintf(f, "  %" PRIx64 " + %u %s %#" PRIx64 "\n",
				m->runs[i].vaddr, m->runs[i].count,
				m->runs[i].flags ? "unmapped" : "->",
				m->runs[i].gfn);
		break;
	case PROTOCOL_FLAGS:
		for (uint32_t i = 0; i < m->nr; i++)
			fprintf(f, "frame %#" PRIx64 " + %u flags %#x\n",
				m->flags[i].gfn, m->flags[i].count,
				m->flags[i].flags);
		break;
	case PROTOCOL_PRESSURE:
		fprintf(f, "pressure total %" PRIu64 " free %" PRIu64
			" available %" PRIu64 " some %u full %u (1/100 %%)\n",
			m->pressure.mem_total, m->pressure.mem_free,
			m->pressure.mem_available, m->pressure.some_avg10,
			m->pressure.full_avg10);
		break;
	default: fprintf(f, "message %d\n", m->type);
	}
}
