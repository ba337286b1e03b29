// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <lz4.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "vmm/store/page-code.h"

/* Saving less than this is not worth the time to decompress. */
#define MIN_SAVING   256
#define ZSTD_DEFAULT 1

struct page_coder {
	enum page_kind how;
	int level;
	ZSTD_CCtx *compress;	/* owned; NULL without Zstandard */
	ZSTD_DCtx *decompress;	/* owned; any coder decodes all kinds */
	char buffer[STORE_PAGE_SIZE];
};

int page_coder_new(struct page_coder **coderp, enum page_kind how, int level)
{
	struct page_coder *c;

	if (how != PAGE_LZ4 && how != PAGE_ZSTD && how != PAGE_RAW)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->how = how;
	c->level = level ? level : ZSTD_DEFAULT;
	c->decompress = ZSTD_createDCtx();
	if (how == PAGE_ZSTD)
		c->compress = ZSTD_createCCtx();
	if (!c->decompress || (how == PAGE_ZSTD && !c->compress)) {
		page_coder_free(c);
		return -ENOMEM;
	}
	*coderp = c;
	return 0;
}

void page_coder_free(struct page_coder *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->compress);
	ZSTD_freeDCtx(c->decompress);
	free(c);
}

static bool is_same(const void *page, uint64_t *word)
{
	memcpy(word, page, sizeof(*word));
	/* Each word equals the one before. */
	return !memcmp(page, (const char *)page + sizeof(*word),
		       STORE_PAGE_SIZE - sizeof(*word));
}

static size_t compress_page(struct page_coder *c, const void *page)
{
	size_t max = STORE_PAGE_SIZE - MIN_SAVING, n;
	int len;

	switch (c->how) {
	case PAGE_LZ4:
		len = LZ4_compress_default(page, c->buffer, STORE_PAGE_SIZE,
					   max);
		return len > 0 ? len : 0;
	case PAGE_ZSTD:
		n = ZSTD_compressCCtx(c->compress, c->buffer, max, page,
				      STORE_PAGE_SIZE, c->level);
		return ZSTD_isError(n) ? 0 : n;
	default:
		return 0;
	}
}

void page_encode(struct page_coder *c, const void *page,
		 struct page_code *code)
{
	memset(code, 0, sizeof(*code));
	if (is_same(page, &code->word)) {
		code->kind = PAGE_SAME;
		return;
	}
	code->len = compress_page(c, page);
	code->kind = c->how;
	code->data = c->buffer;
	if (code->len)
		return;
	code->kind = PAGE_RAW;
	code->len = STORE_PAGE_SIZE;
	code->data = page;
}

int page_decode(struct page_coder *c, const struct page_code *code, void *page)
{
	uint64_t *words = page;
	size_t n = 0;
	int len;

	switch (code->kind) {
	case PAGE_SAME:
		for (size_t i = 0; i < STORE_PAGE_SIZE / sizeof(*words); i++)
			words[i] = code->word;
		return 0;
	case PAGE_RAW:
		if (code->len != STORE_PAGE_SIZE)
			return -EBADMSG;
		memcpy(page, code->data, STORE_PAGE_SIZE);
		return 0;
	case PAGE_LZ4:
		len = LZ4_decompress_safe(code->data, page, code->len,
					  STORE_PAGE_SIZE);
		n = len > 0 ? len : 0;
		break;
	case PAGE_ZSTD:
		n = ZSTD_decompressDCtx(c->decompress, page, STORE_PAGE_SIZE,
					code->data, code->len);
		break;
	}
	return n == STORE_PAGE_SIZE ? 0 : -EBADMSG;
}

uint32_t page_checksum(const void *page)
{
	return XXH3_64bits(page, STORE_PAGE_SIZE);
}

uint32_t page_code_checksum(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}
