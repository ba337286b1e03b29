// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decoder.  A state machine over whole messages:
 *
 *   hello -> ( pressure | epoch )*
 *   epoch := begin ( flags | pressure | forget | mm )* end
 *   mm    := MM ( gone* ) ( vma runs* )* MM_END
 *
 * The length and type of a message are checked as soon as its header is
 * received, so that no payload is buffered for one that will be rejected.
 */
#include "guest-agent/protocol.h"

#define PAGE_MASK (PROTOCOL_PAGE_SIZE - UINT64_C(1))
#define MAX_PID	  (UINT32_C(1) << 22)	/* Linux's PID_MAX_LIMIT */
#define MAX_PGOFF (UINT64_C(1) << 52)

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

void protocol_decoder_init(struct protocol_decoder *d,
			   enum protocol_sender sender, uint64_t max_frames)
{
	d->sender = sender;
	d->max_frames = max_frames;
	d->nr_frames = 0;
	d->error = 0;
	d->hello = d->epoch = d->full = d->mm = d->delta = false;
	d->vma = d->vma_gone = false;
	d->epoch_nr = 0;
	d->pid = 0;
	d->vma_start = d->vma_end = d->run_next = 0;
	d->gone_next = d->vma_next = 0;
	d->fill = 0;
}

/* 0, or the error of this type and payload size. */
static int check_header(const struct protocol_decoder *d, uint32_t type,
			uint32_t size)
{
	uint32_t want, unit = 0;

	switch (type) {
	case PROTOCOL_HELLO: want = 24; break;
	case PROTOCOL_EPOCH_BEGIN:
	case PROTOCOL_EPOCH_END: want = 16; break;
	case PROTOCOL_MM: want = 32; break;
	case PROTOCOL_MM_END:
	case PROTOCOL_FORGET: want = 8; break;
	case PROTOCOL_VMA: want = 48; break;
	case PROTOCOL_RUNS: want = 0; unit = 24; break;
	case PROTOCOL_FLAGS: want = 0; unit = 16; break;
	case PROTOCOL_PRESSURE: want = 88; break;
	case PROTOCOL_DROP_CACHE: want = 8; break;
	default: return PROTOCOL_E_TYPE;
	}
	if ((type >= PROTOCOL_DROP_CACHE) != (d->sender == PROTOCOL_FROM_HOST))
		return PROTOCOL_E_TYPE;
	if (unit)
		return !size || size % unit ||
		       size / unit > PROTOCOL_MAX_RECORDS ?
			       PROTOCOL_E_LENGTH : 0;
	return size == want ? 0 : PROTOCOL_E_LENGTH;
}

/* Whether a message of this type may come now: 0 or the error. */
static int check_order(const struct protocol_decoder *d, uint32_t type)
{
	if (d->sender == PROTOCOL_FROM_HOST)
		return 0;
	if (type == PROTOCOL_HELLO)
		return d->hello ? PROTOCOL_E_HELLO_TWICE : 0;
	if (!d->hello)
		return PROTOCOL_E_NO_HELLO;
	switch (type) {
	case PROTOCOL_EPOCH_BEGIN:
		return d->epoch ? PROTOCOL_E_IN_EPOCH : 0;
	case PROTOCOL_PRESSURE:
		return d->mm ? PROTOCOL_E_IN_MM : 0;
	case PROTOCOL_EPOCH_END:
	case PROTOCOL_FLAGS:
	case PROTOCOL_FORGET:
	case PROTOCOL_MM:
		if (!d->epoch)
			return PROTOCOL_E_NO_EPOCH;
		return d->mm ? PROTOCOL_E_IN_MM : 0;
	default:
		if (!d->epoch)
			return PROTOCOL_E_NO_EPOCH;
		return d->mm ? 0 : PROTOCOL_E_NO_MM;
	}
}

static int decode_hello(struct protocol_decoder *d, const uint8_t *p,
			struct protocol_hello *h)
{
	if (get32(p) != PROTOCOL_MAGIC)
		return PROTOCOL_E_MAGIC;
	if (get32(p + 4) != PROTOCOL_VERSION)
		return PROTOCOL_E_VERSION;
	h->page_size = get32(p + 8);
	h->features = get32(p + 12);
	h->nr_frames = get64(p + 16);
	if (h->page_size != PROTOCOL_PAGE_SIZE)
		return PROTOCOL_E_PAGE_SIZE;
	if (h->features & ~PROTOCOL_FEAT_ALL)
		return PROTOCOL_E_FEATURES;
	if (!h->nr_frames || h->nr_frames > d->max_frames)
		return PROTOCOL_E_NR_FRAMES;
	d->hello = true;
	d->nr_frames = h->nr_frames;
	return 0;
}

static int decode_epoch(struct protocol_decoder *d, uint32_t type,
			const uint8_t *p, struct protocol_epoch *e)
{
	bool begin = type == PROTOCOL_EPOCH_BEGIN;

	e->number = get64(p);
	e->flags = get32(p + 8);
	if (get32(p + 12))
		return PROTOCOL_E_RESERVED;
	if (e->flags & ~(begin ? PROTOCOL_EPOCH_FULL : 0))
		return PROTOCOL_E_FLAGS;
	if (begin ? e->number <= d->epoch_nr : e->number != d->epoch_nr)
		return PROTOCOL_E_EPOCH_NR;
	/* The first epoch of a connection has no earlier one to change. */
	if (begin && !d->epoch_nr && !(e->flags & PROTOCOL_EPOCH_FULL))
		return PROTOCOL_E_DELTA;
	d->epoch = begin;
	if (begin) {
		d->epoch_nr = e->number;
		d->full = e->flags & PROTOCOL_EPOCH_FULL;
	}
	return 0;
}

static int decode_mm(struct protocol_decoder *d, const uint8_t *p,
		     struct protocol_mm *mm)
{
	bool ended = false;

	mm->pid = get32(p);
	mm->flags = get32(p + 4);
	mm->pgd = get64(p + 8);
	if (!mm->pid || mm->pid > MAX_PID)
		return PROTOCOL_E_PID;
	if (mm->flags & ~PROTOCOL_MM_DELTA)
		return PROTOCOL_E_FLAGS;
	if (d->full && (mm->flags & PROTOCOL_MM_DELTA))
		return PROTOCOL_E_DELTA;
	if (mm->pgd != PROTOCOL_NO_PGD &&
	    ((mm->pgd & PAGE_MASK) ||
	     mm->pgd / PROTOCOL_PAGE_SIZE >= d->nr_frames))
		return PROTOCOL_E_PGD;
	for (unsigned int i = 0; i < sizeof(mm->comm); i++) {
		mm->comm[i] = (char)p[16 + i];
		if (ended && mm->comm[i])
			return PROTOCOL_E_COMM;
		ended |= !mm->comm[i];
	}
	if (!ended)
		return PROTOCOL_E_COMM;
	d->mm = true;
	d->delta = mm->flags & PROTOCOL_MM_DELTA;
	d->pid = mm->pid;
	d->vma = d->vma_gone = false;
	d->gone_next = d->vma_next = 0;
	return 0;
}

static int decode_pid(struct protocol_decoder *d, uint32_t type,
		      const uint8_t *p, uint32_t *pid)
{
	*pid = get32(p);
	if (get32(p + 4))
		return PROTOCOL_E_RESERVED;
	if (!*pid || *pid > MAX_PID)
		return PROTOCOL_E_PID;
	if (type == PROTOCOL_MM_END) {
		if (*pid != d->pid)
			return PROTOCOL_E_PID;
		d->mm = false;
	}
	return 0;
}

static int decode_vma(struct protocol_decoder *d, const uint8_t *p,
		      struct protocol_vma *v)
{
	uint64_t *next;

	v->start = get64(p);
	v->end = get64(p + 8);
	v->pgoff = get64(p + 16);
	v->dev = get64(p + 24);
	v->inode = get64(p + 32);
	v->flags = get32(p + 40);
	v->op = get32(p + 44);
	if (v->op > PROTOCOL_VMA_GONE)
		return PROTOCOL_E_VALUE;
	if ((v->start | v->end) & PAGE_MASK)
		return PROTOCOL_E_ALIGN;
	if (v->start >= v->end || v->end > PROTOCOL_MAX_ADDR)
		return PROTOCOL_E_RANGE;
	if (v->pgoff > MAX_PGOFF)
		return PROTOCOL_E_VALUE;
	if (v->flags & ~PROTOCOL_VM_ALL)
		return PROTOCOL_E_FLAGS;
	if (v->op != PROTOCOL_VMA_NEW && !d->delta)
		return PROTOCOL_E_DELTA;
	if (v->op == PROTOCOL_VMA_GONE && d->vma_next)
		return PROTOCOL_E_ORDER;
	next = v->op == PROTOCOL_VMA_GONE ? &d->gone_next : &d->vma_next;
	if (v->start < *next)
		return v->end > *next ? PROTOCOL_E_OVERLAP : PROTOCOL_E_ORDER;
	*next = v->end;
	d->vma = true;
	d->vma_gone = v->op == PROTOCOL_VMA_GONE;
	d->vma_start = d->run_next = v->start;
	d->vma_end = v->end;
	return 0;
}

static int decode_run(struct protocol_decoder *d, const uint8_t *p,
		      struct protocol_run *r)
{
	r->vaddr = get64(p);
	r->gfn = get64(p + 8);
	r->count = get32(p + 16);
	r->flags = get32(p + 20);
	if (r->vaddr & PAGE_MASK)
		return PROTOCOL_E_ALIGN;
	if (!r->count)
		return PROTOCOL_E_RANGE;
	if (r->flags & ~PROTOCOL_RUN_UNMAPPED)
		return PROTOCOL_E_FLAGS;
	if ((r->flags & PROTOCOL_RUN_UNMAPPED) && !d->delta)
		return PROTOCOL_E_DELTA;
	if (r->vaddr < d->vma_start || r->vaddr >= d->vma_end ||
	    r->count > (d->vma_end - r->vaddr) / PROTOCOL_PAGE_SIZE)
		return PROTOCOL_E_OUTSIDE_VMA;
	if (r->vaddr < d->run_next)
		return PROTOCOL_E_OVERLAP;
	if (r->flags & PROTOCOL_RUN_UNMAPPED) {
		if (r->gfn)
			return PROTOCOL_E_RESERVED;
	} else if (r->gfn >= d->nr_frames || r->count > d->nr_frames - r->gfn) {
		return PROTOCOL_E_GFN;
	}
	d->run_next = r->vaddr + (uint64_t)r->count * PROTOCOL_PAGE_SIZE;
	return 0;
}

static int decode_runs(struct protocol_decoder *d, const uint8_t *p,
		       uint32_t size, struct protocol_message *msg)
{
	int rc = 0;

	if (!d->vma || d->vma_gone)
		return PROTOCOL_E_NO_VMA;
	msg->nr = size / 24;
	msg->runs = d->rec.runs;
	for (uint32_t i = 0; i < msg->nr && !rc; i++)
		rc = decode_run(d, p + 24 * i, &d->rec.runs[i]);
	return rc;
}

static int decode_flags(struct protocol_decoder *d, const uint8_t *p,
			uint32_t size, struct protocol_message *msg)
{
	uint64_t next = 0;

	msg->nr = size / 16;
	msg->flags = d->rec.flags;
	for (uint32_t i = 0; i < msg->nr; i++, p += 16) {
		struct protocol_flags *f = &d->rec.flags[i];

		f->gfn = get64(p);
		f->count = get32(p + 8);
		f->flags = get32(p + 12);
		if (!f->count)
			return PROTOCOL_E_RANGE;
		if (f->flags & ~PROTOCOL_PG_ALL)
			return PROTOCOL_E_FLAGS;
		if (f->gfn >= d->nr_frames || f->count > d->nr_frames - f->gfn)
			return PROTOCOL_E_GFN;
		if (f->gfn < next)
			return PROTOCOL_E_OVERLAP;
		next = f->gfn + f->count;
	}
	return 0;
}

static int decode_pressure(const uint8_t *p, struct protocol_pressure *v)
{
	v->mem_total = get64(p);
	v->mem_free = get64(p + 8);
	v->mem_available = get64(p + 16);
	v->cached = get64(p + 24);
	v->dirty = get64(p + 32);
	v->some_total_us = get64(p + 40);
	v->full_total_us = get64(p + 48);
	v->some_avg10 = get32(p + 56);
	v->full_avg10 = get32(p + 60);
	v->clean_cache = get64(p + 64);
	v->nr_refaults_file = get64(p + 72);
	v->nr_refaults_anon = get64(p + 80);
	return v->some_avg10 > 10000 || v->full_avg10 > 10000 ?
		       PROTOCOL_E_VALUE : 0;
}

static int decode_payload(struct protocol_decoder *d, uint32_t type,
			  const uint8_t *p, uint32_t size,
			  struct protocol_message *msg)
{
	msg->type = type;
	msg->nr = 0;
	switch (msg->type) {
	case PROTOCOL_HELLO: return decode_hello(d, p, &msg->hello);
	case PROTOCOL_EPOCH_BEGIN:
	case PROTOCOL_EPOCH_END: return decode_epoch(d, type, p, &msg->epoch);
	case PROTOCOL_MM: return decode_mm(d, p, &msg->mm);
	case PROTOCOL_MM_END:
	case PROTOCOL_FORGET: return decode_pid(d, type, p, &msg->pid);
	case PROTOCOL_VMA: return decode_vma(d, p, &msg->vma);
	case PROTOCOL_RUNS: return decode_runs(d, p, size, msg);
	case PROTOCOL_FLAGS: return decode_flags(d, p, size, msg);
	case PROTOCOL_PRESSURE: return decode_pressure(p, &msg->pressure);
	case PROTOCOL_DROP_CACHE:
		msg->drop_bytes = get64(p);
		return msg->drop_bytes ? 0 : PROTOCOL_E_VALUE;
	}
	return PROTOCOL_E_TYPE;
}

/* Copies bytes of data until buf has `want` of them; true when it has. */
static bool take(struct protocol_decoder *d, const uint8_t *data, size_t len,
		 size_t *used, uint32_t want)
{
	while (d->fill < want && *used < len)
		d->buf[d->fill++] = data[(*used)++];
	return d->fill == want;
}

int protocol_decode(struct protocol_decoder *d, const void *data, size_t len,
		    size_t *used, struct protocol_message *msg)
{
	uint32_t size, type;

	*used = 0;
	if (d->error)
		return -d->error;
	if (d->fill < PROTOCOL_HEADER_SIZE &&
	    !take(d, data, len, used, PROTOCOL_HEADER_SIZE))
		return 0;
	size = get32(d->buf);
	type = get32(d->buf + 4);
	d->error = check_header(d, type, size);
	if (!d->error)
		d->error = check_order(d, type);
	if (d->error)
		return -d->error;
	if (!take(d, data, len, used, PROTOCOL_HEADER_SIZE + size))
		return 0;
	d->error = decode_payload(d, type, d->buf + PROTOCOL_HEADER_SIZE, size,
				  msg);
	d->fill = 0;
	return d->error ? -d->error : 1;
}
