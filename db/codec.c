// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Encoding and decoding the blobs of a recording.
//
// Log: blob_head, then a zstd frame of the records turned by 90 degrees: byte 0 of every record,
// byte 1 of every record ... Bytes of one field are alike; records are not. Event ids follow as
// four such planes of steps (0: no OP, else id minus the last id). Before the planes stands the first
// byte of each; planes all of whose bytes are the same are left out, the head says which.
// Keyframe: blob_head, then a zstd frame of the page numbers (u32) followed by the pages.
#include "codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
	LOG_MAGIC = 0x32474c4b,	     // "KLG2"
	KEYFRAME_MAGIC = 0x31464b4b, // "KKF1"
	LOG_MAX = 1 << 20,	     // entries of a blob
	PLANES = sizeof(struct record) + 4,
	LEVEL = 1, // a third less time than level 3 for a tenth more bytes
	KEYFRAME_FULL = 1,
	PAGEMAP_BATCH = 4096,
	BLOCK = 8, // records turned at a time
};

struct blob_head {
	uint32_t magic;
	uint32_t count;	 // entries; pages
	uint64_t base;	 // log: id before the first OP; keyframe: size of the memory
	uint32_t flags;	 // keyframe: KEYFRAME_*; log: planes that are there, low half of a bit each
	uint32_t layout; // keyframe: of the machine's structures; log: the high half
};

static inline uint64_t lane_step(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0x9E3779B97F4A7C15ull;
	return lane ^ lane >> 29;
}

static inline uint64_t word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

// Four lanes of multiply and shift: guards against torn and damaged data, not against malice.
uint64_t bytes_hash(const void *data, size_t n)
{
	static const uint64_t k = 0x9E3779B97F4A7C15ull;
	uint64_t a = k, b = k * 3, c = k * 5, d = k * 7 + n, word = 0;
	const char *p = data;

	for (; n >= 32; n -= 32, p += 32) {
		a = lane_step(a, word_at(p));
		b = lane_step(b, word_at(p + 8));
		c = lane_step(c, word_at(p + 16));
		d = lane_step(d, word_at(p + 24));
	}
	uint64_t lane[4] = {a, b, c, d};
	size_t i = 0;
	for (; n >= 8; n -= 8, p += 8, i++)
		lane[i] = lane_step(lane[i], word_at(p));
	memcpy(&word, p, n);
	lane[i] = (lane[i] ^ word) * k;
	for (i = 1; i < 4; i++)
		lane[0] = (lane[0] ^ (lane[i] >> 31) ^ lane[i]) * k;
	return lane[0] ^ lane[0] >> 32;
}

// With a checksum, so that damage is noticed and not folded.
static size_t compress_checked(void *out, size_t room, const void *payload, size_t n)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t done;

	if (!c)
		return (size_t)-1; // what ZSTD_isError takes for an error
	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	done = ZSTD_compress2(c, out, room, payload, n);
	ZSTD_freeCCtx(c);
	return done;
}

// head and the compressed payload in one malloc'ed piece.
static int pack(const struct blob_head *head, const void *payload, size_t n, void **blob,
		size_t *size)
{
	size_t room = ZSTD_compressBound(n), done;
	char *out = malloc(sizeof(*head) + room), *fit;

	if (!out)
		return -ENOMEM;
	memcpy(out, head, sizeof(*head));
	done = compress_checked(out + sizeof(*head), room, payload, n);
	if (ZSTD_isError(done)) {
		free(out);
		return -ENOMEM;
	}
	*size = sizeof(*head) + done;
	fit = realloc(out, *size);
	*blob = fit ? fit : out;
	return 0;
}

// The payload must be exactly `want` bytes long. malloc'ed; NULL: damaged, or no memory.
static void *unpack(const void *blob, size_t size, size_t want)
{
	const char *frame = (const char *)blob + sizeof(struct blob_head);
	size_t bytes = size - sizeof(struct blob_head);
	void *out;

	if (ZSTD_getFrameContentSize(frame, bytes) != want)
		return NULL;
	out = malloc(want ? want : 1);
	if (out && ZSTD_decompress(out, want, frame, bytes) != want) {
		free(out);
		return NULL;
	}
	return out;
}

static bool read_head(struct blob_head *head, uint32_t magic, const void *blob, size_t size)
{
	if (!blob || size < sizeof(*head))
		return false;
	memcpy(head, blob, sizeof(*head));
	return head->magic == magic;
}

// Eight words of eight bytes, turned: byte j of word i changes places with byte i of word j.
static inline void turn_block(uint64_t w[BLOCK])
{
	static const struct {
		unsigned step, shift;
		uint64_t low;
	} pass[] = {{4, 32, 0x00000000ffffffffull},
		    {2, 16, 0x0000ffff0000ffffull},
		    {1, 8, 0x00ff00ff00ff00ffull}};

#pragma GCC unroll 3
	for (unsigned k = 0; k < 3; k++) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < BLOCK; i++) {
			unsigned j = i + pass[k].step;
			uint64_t x;

			if (i & pass[k].step)
				continue;
			x = (w[i] >> pass[k].shift ^ w[j]) & pass[k].low;
			w[j] ^= x;
			w[i] ^= x << pass[k].shift;
		}
	}
}

// From one plane to the next: planes a power of two apart would all be in each other's cache lines.
static size_t plane_stride(size_t n)
{
	return (n | 63) + 1 + 64;
}

// Byte p of every record goes to plane p.
static void turn(const struct log_entry *e, size_t n, uint8_t *planes, size_t stride)
{
	size_t whole = n - n % BLOCK;

	for (size_t i = 0; i < whole; i += BLOCK)
		for (size_t p = 0; p < sizeof(struct record); p += 8) {
			uint64_t w[BLOCK];

			for (size_t k = 0; k < BLOCK; k++)
				memcpy(&w[k], (const char *)&e[i + k].r + p, 8);
			turn_block(w);
			for (size_t k = 0; k < BLOCK; k++)
				memcpy(planes + (p + k) * stride + i, &w[k], 8);
		}
	for (size_t i = whole; i < n; i++)
		for (size_t p = 0; p < sizeof(struct record); p++)
			planes[p * stride + i] = ((const uint8_t *)&e[i].r)[p];
}

static void put_steps(const struct log_entry *e, size_t n, uint64_t last, uint8_t *planes,
		      size_t stride)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t step = e[i].event ? e[i].event - last : 0;

		for (size_t p = 0; p < 4; p++)
			planes[p * stride + i] = (uint8_t)(step >> 8 * p);
		last = e[i].event ? e[i].event : last;
	}
}

// Moves the planes worth keeping together, behind `first`; their bytes.
static size_t gather(uint8_t *planes, size_t n, size_t stride, uint8_t *first, uint64_t *kept)
{
	size_t bytes = 0;

	*kept = 0;
	for (unsigned p = 0; p < PLANES; p++) {
		uint8_t *plane = planes + p * stride;

		first[p] = n ? plane[0] : 0;
		if (n < 2 || !memcmp(plane, plane + 1, n - 1))
			continue;
		*kept |= 1ull << p;
		memmove(planes + bytes, plane, n);
		bytes += n;
	}
	return bytes;
}

// The other way round: `out` has room for all planes.
static void spread(const uint8_t *payload, size_t n, uint64_t kept, uint8_t *out)
{
	const uint8_t *plane = payload + PLANES;

	for (unsigned p = 0; p < PLANES; p++) {
		if (kept >> p & 1) {
			memcpy(out + p * n, plane, n);
			plane += n;
		} else {
			memset(out + p * n, payload[p], n);
		}
	}
}

static uint64_t first_event(const struct log_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (e[i].event)
			return e[i].event;
	return 1;
}

int log_encode(const struct log_entry *e, size_t n, void **blob, size_t *size)
{
	struct blob_head head = {.magic = LOG_MAGIC, .count = (uint32_t)n};
	size_t stride = plane_stride(n);
	uint8_t *payload = malloc(PLANES + stride * PLANES), *planes = payload + PLANES;
	uint64_t kept;
	size_t bytes;
	int error;

	if (!payload || n > LOG_MAX) {
		free(payload);
		return -ENOMEM;
	}
	head.base = first_event(e, n) - 1;
	turn(e, n, planes, stride);
	put_steps(e, n, head.base, planes + stride * sizeof(struct record), stride);
	bytes = gather(planes, n, stride, payload, &kept);
	head.flags = (uint32_t)kept;
	head.layout = (uint32_t)(kept >> 32);
	error = pack(&head, payload, PLANES + bytes, blob, size);
	free(payload);
	return error;
}

// Byte p of every record is in plane p: turn() the other way round.
static void turn_back(const uint8_t *planes, size_t n, struct log_entry *e)
{
	size_t whole = n - n % BLOCK;

	for (size_t i = 0; i < whole; i += BLOCK)
		for (size_t p = 0; p < sizeof(struct record); p += 8) {
			uint64_t w[BLOCK];

			for (size_t k = 0; k < BLOCK; k++)
				memcpy(&w[k], planes + (p + k) * n + i, 8);
			turn_block(w);
			for (size_t k = 0; k < BLOCK; k++)
				memcpy((char *)&e[i + k].r + p, &w[k], 8);
		}
	for (size_t i = whole; i < n; i++)
		for (size_t p = 0; p < sizeof(struct record); p++)
			((uint8_t *)&e[i].r)[p] = planes[p * n + i];
}

static void read_entries(const uint8_t *planes, size_t n, uint64_t last, struct log_entry *e)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t step = 0;

		for (size_t p = 0; p < 4; p++)
			step |= (uint32_t)planes[(sizeof(struct record) + p) * n + i] << 8 * p;
		e[i].event = step ? last += step : 0;
	}
}

int log_decode(const void *blob, size_t size, struct log_entry **e, size_t *n)
{
	struct blob_head head;
	uint8_t *payload, *planes;
	uint64_t kept;

	if (!read_head(&head, LOG_MAGIC, blob, size) || head.count > LOG_MAX)
		return -EILSEQ;
	kept = head.flags | (uint64_t)head.layout << 32;
	if (kept >> PLANES)
		return -EILSEQ;
	*n = head.count;
	payload = unpack(blob, size, PLANES + *n * (size_t)__builtin_popcountll(kept));
	planes = payload ? malloc(*n * PLANES + 1) : NULL;
	*e = planes ? malloc((*n + 1) * sizeof(**e)) : NULL;
	if (*e) {
		spread(payload, *n, kept, planes);
		turn_back(planes, *n, *e);
		read_entries(planes, *n, head.base, *e);
	}
	free(payload);
	free(planes);
	return *e ? 0 : -EILSEQ;
}

int log_apply(struct machine *m, const struct record *r)
{
	bool locked = r->kind > EV_LAST_OP && r->kind < EV_LAST_STEP && r->lock != LOCK_NONE &&
		      r->lock < NR_LOCKS;
	int error;

	if (locked)
		m->s->ticket[r->lock] = r->ticket - 1;
	error = fold_apply(m, r);
	if (locked) // a refused step must not hold up those behind it
		m->s->ticket[r->lock] = r->ticket;
	return error;
}

struct keyframer {
	const char *memory;
	size_t npages;
	int pagemap;	// /proc/self/pagemap; -1: every page is looked at
	uint64_t *hash; // of each page as of the last keyframe; 0: all zero
};

struct keyframer *keyframer_create(const void *memory, size_t size)
{
	struct keyframer *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->memory = memory;
	k->npages = size / PAGE_SIZE;
	k->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	k->hash = calloc(k->npages + 1, sizeof(*k->hash));
	if (k->hash)
		return k;
	keyframer_destroy(k);
	return NULL;
}

void keyframer_destroy(struct keyframer *k)
{
	if (!k)
		return;
	if (k->pagemap >= 0)
		close(k->pagemap);
	free(k->hash);
	free(k);
}

struct keyframer *keyframer_copy(const struct keyframer *k, const void *memory)
{
	struct keyframer *copy = keyframer_create(memory, k->npages * PAGE_SIZE);

	for (size_t i = 0; copy && i < k->npages; i++)
		if (k->hash[i]) // most are zero: their memory is not touched
			copy->hash[i] = k->hash[i];
	return copy;
}

bool page_is_zero(const char *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE_SIZE - 1);
}

void page_look_up(int pagemap, const void *page, size_t n, uint64_t *map)
{
	ssize_t want = (ssize_t)(n * sizeof(*map));
	off_t at = (off_t)((uintptr_t)page / PAGE_SIZE * sizeof(*map));

	if (pagemap < 0 || pread(pagemap, map, (size_t)want, at) != want)
		memset(map, 0xff, (size_t)want);
}

// Appends page i to the list when it goes into the keyframe.
static size_t take_page(struct keyframer *k, size_t i, bool full, uint32_t *pages, size_t n)
{
	const char *page = k->memory + i * PAGE_SIZE;
	bool zero = page_is_zero(page);
	uint64_t hash = zero ? 0 : bytes_hash(page, PAGE_SIZE) | 1;
	bool take = full ? !zero : hash != k->hash[i];

	k->hash[i] = hash;
	if (take)
		pages[n++] = (uint32_t)i;
	return n;
}

static size_t find_pages(struct keyframer *k, bool full, uint32_t *pages)
{
	uint64_t map[PAGEMAP_BATCH];
	size_t n = 0;

	for (size_t first = 0; first < k->npages; first += PAGEMAP_BATCH) {
		size_t batch =
			k->npages - first < PAGEMAP_BATCH ? k->npages - first : PAGEMAP_BATCH;

		page_look_up(k->pagemap, k->memory + first * PAGE_SIZE, batch, map);
		for (size_t i = 0; i < batch; i++)
			if (map[i] >> 62 || k->hash[first + i])
				n = take_page(k, first + i, full, pages, n);
	}
	return n;
}

int keyframe_encode(struct keyframer *k, bool full, void **blob, size_t *blob_size)
{
	struct blob_head head = {.magic = KEYFRAME_MAGIC,
				 .base = k->npages * PAGE_SIZE,
				 .flags = full ? KEYFRAME_FULL : 0};
	uint32_t *pages = malloc((k->npages + 1) * sizeof(*pages));
	size_t n = pages ? find_pages(k, full, pages) : 0;
	char *payload = pages ? malloc(n * (4 + PAGE_SIZE) + 1) : NULL, *p = payload + n * 4;
	int error = -ENOMEM;

	if (payload) {
		memcpy(payload, pages, n * 4);
		for (size_t i = 0; i < n; i++, p += PAGE_SIZE)
			memcpy(p, k->memory + (size_t)pages[i] * PAGE_SIZE, PAGE_SIZE);
		head.count = (uint32_t)n;
		head.layout = ((const struct machine_state *)k->memory)->layout;
		error = pack(&head, payload, n * (4 + PAGE_SIZE), blob, blob_size);
	}
	free(payload);
	free(pages);
	return error;
}

// Most of a machine was never touched and must stay so.
static void zero_pages(char *memory, size_t npages)
{
	uint64_t map[PAGEMAP_BATCH];
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	for (size_t first = 0; first < npages; first += PAGEMAP_BATCH) {
		size_t batch = npages - first < PAGEMAP_BATCH ? npages - first : PAGEMAP_BATCH;

		page_look_up(pagemap, memory + first * PAGE_SIZE, batch, map);
		for (size_t i = 0; i < batch; i++)
			if (map[i] >> 62)
				memset(memory + (first + i) * PAGE_SIZE, 0, PAGE_SIZE);
	}
	if (pagemap >= 0)
		close(pagemap);
}

static bool pages_inside(const char *payload, size_t n, size_t npages)
{
	uint32_t page;

	for (size_t i = 0; i < n; i++) {
		memcpy(&page, payload + i * 4, 4);
		if (page >= npages)
			return false;
	}
	return true;
}

size_t keyframe_memory_size(const void *blob, size_t blob_size)
{
	struct blob_head head;

	return read_head(&head, KEYFRAME_MAGIC, blob, blob_size) ? head.base : 0;
}

int keyframe_apply(void *memory, size_t size, const void *blob, size_t blob_size, bool *full)
{
	struct blob_head head;
	char *payload;
	uint32_t page;

	if (!read_head(&head, KEYFRAME_MAGIC, blob, blob_size) ||
	    head.base != size / PAGE_SIZE * PAGE_SIZE || head.count > size / PAGE_SIZE)
		return -EILSEQ;
	*full = head.flags & KEYFRAME_FULL;
	if (!*full && head.layout != ((const struct machine_state *)memory)->layout)
		return -EILSEQ;
	payload = unpack(blob, blob_size, (size_t)head.count * (4 + PAGE_SIZE));
	if (!payload || !pages_inside(payload, head.count, size / PAGE_SIZE)) {
		free(payload);
		return -EILSEQ;
	}
	if (*full)
		zero_pages(memory, size / PAGE_SIZE);
	for (size_t i = 0; i < head.count; i++) {
		memcpy(&page, payload + i * 4, 4);
		memcpy((char *)memory + (size_t)page * PAGE_SIZE,
		       payload + head.count * 4ul + i * PAGE_SIZE, PAGE_SIZE);
	}
	free(payload);
	return 0;
}
