// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "fuzz.h"

#include <string.h>

uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && in->at < in->end; i++)
		value |= (uint64_t)*in->at++ << 8 * i;
	return value;
}

const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t *n)
{
	const uint8_t *at = in->at;

	*n = *n < fuzz_left(in) ? *n : fuzz_left(in);
	in->at += *n;
	return at;
}

// A word of one of the records, or one that is often wrong.
static uint32_t some_word(const struct record *r, size_t n, uint64_t *seed)
{
	static const uint32_t edge[] = {0,	    1,		2,	    4096,	0x7fffffff,
					0x80000000, 0xffffffff, 0xc0000000, 0xc1000000, 0xf8000000,
					0xfffff000, 16384,	262144,	    11};
	uint32_t what = fuzz_random(seed);

	switch (what % 5) {
	case 0:
		return edge[what / 5 % (sizeof(edge) / sizeof(*edge))];
	case 1:
		return what / 5 % 4096;
	case 2:
		return r[what / 5 % n].arg[fuzz_random(seed) % 6] + 1 - fuzz_random(seed) % 3;
	case 3:
		return 1u << what / 5 % 32;
	default:
		return r[what / 5 % n].arg[fuzz_random(seed) % 6];
	}
}

static void change_field(struct record *all, size_t n, struct record *r, uint64_t *seed)
{
	uint32_t what = fuzz_random(seed) % 10;

	if (what < 6)
		r->arg[what] = some_word(all, n, seed);
	else if (what == 6)
		r->kind = (uint8_t)(fuzz_random(seed) % EV_LAST_STEP);
	else if (what == 7)
		r->cpu = fuzz_random(seed) % 4;
	else if (what == 8)
		r->lock = (uint16_t)(fuzz_random(seed) % 300);
	else
		r->op.flags ^= 1u << fuzz_random(seed) % 8;
}

// Some of them once more, at another place.
static size_t double_some(struct record *r, size_t n, size_t room, uint64_t *seed)
{
	static struct record copy[16];
	size_t from = fuzz_random(seed) % n, to = fuzz_random(seed) % (n + 1);
	size_t some = 1 + fuzz_random(seed) % 16;

	some = some < n - from ? some : n - from;
	some = some < room - n ? some : room - n;
	memcpy(copy, r + from, some * sizeof(*r));
	memmove(r + to + some, r + to, (n - to) * sizeof(*r));
	memcpy(r + to, copy, some * sizeof(*r));
	return n + some;
}

static size_t leave_some_out(struct record *r, size_t n, uint64_t *seed)
{
	size_t from = fuzz_random(seed) % n, some = 1 + fuzz_random(seed) % 16;

	some = some < n - from ? some : n - from;
	memmove(r + from, r + from + some, (n - from - some) * sizeof(*r));
	return n - some;
}

size_t fuzz_mutate_records(uint8_t *bytes, size_t size, size_t max, uint64_t *seed)
{
	static struct record r[FUZZ_RECORDS];
	size_t room = max / sizeof(*r) < FUZZ_RECORDS ? max / sizeof(*r) : FUZZ_RECORDS;
	size_t n = size / sizeof(*r) < room ? size / sizeof(*r) : room;
	struct record one;

	if (!n || fuzz_random(seed) % 16 == 0)
		return LLVMFuzzerMutate(bytes, size, max);
	memcpy(r, bytes, n * sizeof(*r));
	for (unsigned times = 1 + fuzz_random(seed) % 4; times && n; times--) {
		size_t i = fuzz_random(seed) % n, j = fuzz_random(seed) % n;

		switch (fuzz_random(seed) % 8) {
		case 0:
			n = double_some(r, n, room, seed);
			break;
		case 1:
			n = leave_some_out(r, n, seed);
			break;
		case 2:
			one = r[i];
			r[i] = r[j];
			r[j] = one;
			break;
		default:
			change_field(r, n, &r[i], seed);
			break;
		}
	}
	memcpy(bytes, r, n * sizeof(*r));
	return n * sizeof(*r);
}
