// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts of errors, and the encoder; the decoder is in protocol-decode.c. */
#include "guest-agent/protocol.h"

static const char *const error_texts[PROTOCOL_NR_ERRORS] = {
	[PROTOCOL_OK] = "no error",
	[PROTOCOL_E_TYPE] = "unknown message type",
	[PROTOCOL_E_LENGTH] = "wrong length for the message type",
	[PROTOCOL_E_RESERVED] = "reserved field is not zero",
	[PROTOCOL_E_MAGIC] = "not an agent (wrong magic)",
	[PROTOCOL_E_VERSION] = "protocol version not supported",
	[PROTOCOL_E_PAGE_SIZE] = "page size is not 4096",
	[PROTOCOL_E_FEATURES] = "unknown feature bits",
	[PROTOCOL_E_NR_FRAMES] = "frame count is zero or exceeds guest memory",
	[PROTOCOL_E_NO_HELLO] = "message before the hello",
	[PROTOCOL_E_HELLO_TWICE] = "second hello",
	[PROTOCOL_E_NO_EPOCH] = "message outside an epoch",
	[PROTOCOL_E_IN_EPOCH] = "epoch begins inside an epoch",
	[PROTOCOL_E_EPOCH_NR] = "epoch number out of order",
	[PROTOCOL_E_NO_MM] = "message outside a process section",
	[PROTOCOL_E_IN_MM] = "message not allowed inside a process section",
	[PROTOCOL_E_PID] = "bad process number",
	[PROTOCOL_E_PGD] = "page table unaligned or out of guest memory",
	[PROTOCOL_E_COMM] = "process name is not terminated and padded",
	[PROTOCOL_E_DELTA] = "change to a region or process is not allowed "
			     "here",
	[PROTOCOL_E_ORDER] = "addresses not ascending",
	[PROTOCOL_E_OVERLAP] = "overlaps what came before",
	[PROTOCOL_E_ALIGN] = "address not page-aligned",
	[PROTOCOL_E_RANGE] = "range empty or beyond the address space",
	[PROTOCOL_E_FLAGS] = "unknown flag bits",
	[PROTOCOL_E_NO_VMA] = "page runs without a region",
	[PROTOCOL_E_OUTSIDE_VMA] = "page run outside its region",
	[PROTOCOL_E_GFN] = "frame out of guest memory",
	[PROTOCOL_E_VALUE] = "value out of bounds",
};

const char *protocol_error_text(int error)
{
	if (error < 0)
		error = -error;
	return error >= 0 && error < PROTOCOL_NR_ERRORS ? error_texts[error] :
							  "unknown error";
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		*p++ = v >> (8 * i);
	return p;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
	return put32(put32(p, (uint32_t)v), v >> 32);
}

static size_t payload_size(const struct protocol_message *msg)
{
	switch (msg->type) {
	case PROTOCOL_HELLO: return 24;
	case PROTOCOL_EPOCH_BEGIN:
	case PROTOCOL_EPOCH_END: return 16;
	case PROTOCOL_MM: return 32;
	case PROTOCOL_MM_END:
	case PROTOCOL_FORGET: return 8;
	case PROTOCOL_VMA: return 48;
	case PROTOCOL_RUNS: return (size_t)msg->nr * 24;
	case PROTOCOL_FLAGS: return (size_t)msg->nr * 16;
	case PROTOCOL_PRESSURE: return 88;
	case PROTOCOL_DROP_CACHE: return 8;
	}
	return SIZE_MAX;
}

static void put_vma(uint8_t *p, const struct protocol_vma *v)
{
	p = put64(p, v->start);
	p = put64(p, v->end);
	p = put64(p, v->pgoff);
	p = put64(p, v->dev);
	p = put64(p, v->inode);
	p = put32(p, v->flags);
	put32(p, v->op);
}

static void put_pressure(uint8_t *p, const struct protocol_pressure *v)
{
	p = put64(p, v->mem_total);
	p = put64(p, v->mem_free);
	p = put64(p, v->mem_available);
	p = put64(p, v->cached);
	p = put64(p, v->dirty);
	p = put64(p, v->some_total_us);
	p = put64(p, v->full_total_us);
	p = put32(p, v->some_avg10);
	p = put32(p, v->full_avg10);
	p = put64(p, v->clean_cache);
	p = put64(p, v->nr_refaults_file);
	put64(p, v->nr_refaults_anon);
}

static void put_records(uint8_t *p, const struct protocol_message *msg)
{
	for (uint32_t i = 0; i < msg->nr; i++) {
		if (msg->type == PROTOCOL_RUNS) {
			p = put64(p, msg->runs[i].vaddr);
			p = put64(p, msg->runs[i].gfn);
			p = put32(p, msg->runs[i].count);
			p = put32(p, msg->runs[i].flags);
		} else {
			p = put64(p, msg->flags[i].gfn);
			p = put32(p, msg->flags[i].count);
			p = put32(p, msg->flags[i].flags);
		}
	}
}

size_t protocol_encode(const struct protocol_message *msg, void *buf,
		       size_t len)
{
	bool records = msg->type == PROTOCOL_RUNS ||
		       msg->type == PROTOCOL_FLAGS;
	size_t size = payload_size(msg);
	uint8_t *p = buf;

	if (size > PROTOCOL_MAX_PAYLOAD || len < PROTOCOL_HEADER_SIZE ||
	    size > len - PROTOCOL_HEADER_SIZE)
		return 0;
	if (records && (!msg->nr || msg->nr > PROTOCOL_MAX_RECORDS))
		return 0;
	p = put32(p, (uint32_t)size);
	p = put32(p, msg->type);
	switch (msg->type) {
	case PROTOCOL_HELLO:
		p = put32(p, PROTOCOL_MAGIC);
		p = put32(p, PROTOCOL_VERSION);
		p = put32(p, msg->hello.page_size);
		p = put32(p, msg->hello.features);
		put64(p, msg->hello.nr_frames);
		break;
	case PROTOCOL_EPOCH_BEGIN:
	case PROTOCOL_EPOCH_END:
		p = put64(p, msg->epoch.number);
		p = put32(p, msg->epoch.flags);
		put32(p, 0);
		break;
	case PROTOCOL_MM:
		p = put32(p, msg->mm.pid);
		p = put32(p, msg->mm.flags);
		p = put64(p, msg->mm.pgd);
		for (unsigned int i = 0; i < sizeof(msg->mm.comm); i++)
			*p++ = msg->mm.comm[i];
		break;
	case PROTOCOL_MM_END:
	case PROTOCOL_FORGET:
		p = put32(p, msg->pid);
		put32(p, 0);
		break;
	case PROTOCOL_VMA:
		put_vma(p, &msg->vma);
		break;
	case PROTOCOL_RUNS:
	case PROTOCOL_FLAGS:
		put_records(p, msg);
		break;
	case PROTOCOL_PRESSURE:
		put_pressure(p, &msg->pressure);
		break;
	case PROTOCOL_DROP_CACHE:
		put64(p, msg->drop_bytes);
		break;
	}
	return PROTOCOL_HEADER_SIZE + size;
}
