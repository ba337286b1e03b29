/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encodes one page in few bytes: pages of one repeated 8-byte word need none,
 * others are compressed by LZ4 or Zstandard, and incompressible pages are kept
 * as they are.  One coder per thread; coders share nothing.
 */
#ifndef VMM_STORE_PAGE_CODE_H
#define VMM_STORE_PAGE_CODE_H

#include <stddef.h>
#include <stdint.h>

#define STORE_PAGE_SIZE 4096

enum page_kind {		/* in stored records: never renumber */
	PAGE_SAME = 0,
	PAGE_RAW = 1,
	PAGE_LZ4 = 2,
	PAGE_ZSTD = 3,
};

struct page_coder;

/*
 * how: PAGE_LZ4, PAGE_ZSTD, or PAGE_RAW (no compression); any coder decodes all
 * kinds.  level: of Zstandard; 0: level 1.  0, -EINVAL or -ENOMEM.
 */
int page_coder_new(struct page_coder **coderp, enum page_kind how, int level);
void page_coder_free(struct page_coder *coder);

struct page_code {
	enum page_kind kind;
	uint64_t word;		/* PAGE_SAME: the repeated word */
	size_t len;		/* of data; 0 for PAGE_SAME */
	const void *data;	/* the page itself or the coder's own buffer */
};

/*
 * page must not change meanwhile.  code->data is valid until the coder is used
 * again.  Cannot fail: what cannot be compressed is PAGE_RAW.
 */
void page_encode(struct page_coder *coder, const void *page,
		 struct page_code *code);
/* 0, or -EBADMSG: the data are not a page of that kind. */
int page_decode(struct page_coder *coder, const struct page_code *code,
		void *page);

/* Of a whole page, to detect damage. */
uint32_t page_checksum(const void *page);
/* Of the encoded data of a page. */
uint32_t page_code_checksum(const void *data, size_t len);

#endif
