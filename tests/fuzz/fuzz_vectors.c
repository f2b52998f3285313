// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A vector file of anybody's, replayed by the shipped runners (tests/vectors.c).
//
//   input: the file; plain, or packed by gzip
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "fuzz.h"

enum {
	LINES = 4096 // of one input
};

struct line {
	const char *at;
	size_t n; // with its newline
};

static char path[64];
int vectors_main(int argc, char **argv);

static void end(void)
{
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "/dev/shm/kalloscope-fuzz-%d", (int)getpid());
	atexit(end);
	fuzz_quiet();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[] = {"vectors", path, NULL};

	fuzz_write(path, data, size);
	vectors_main(2, argv);
	return 0;
}

static size_t split(const char *text, size_t size, struct line *line)
{
	size_t n = 0;

	for (const char *end = text + size; text < end && n < LINES; n++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = newline ? (size_t)(newline - text) + 1 : (size_t)(end - text);

		line[n] = (struct line){text, len};
		text += len;
	}
	return n;
}

static size_t join(const struct line *line, size_t n, char *out, size_t max)
{
	size_t size = 0;

	for (size_t i = 0; i < n && size + line[i].n <= max; size += line[i++].n)
		memcpy(out + size, line[i].at, line[i].n);
	return size;
}

// Lines change places, are doubled or left out.
static size_t move_lines(struct line *line, size_t n, uint64_t *seed)
{
	size_t from = fuzz_random(seed) % n, to = fuzz_random(seed) % n;
	struct line one = line[from];

	switch (fuzz_random(seed) % 3) {
	case 0:
		line[from] = line[to];
		line[to] = one;
		return n;
	case 1:
		memmove(line + from, line + from + 1, (n - from - 1) * sizeof(*line));
		return n - 1;
	default:
		if (n == LINES)
			return n;
		memmove(line + to + 1, line + to, (n - to) * sizeof(*line));
		line[to] = one;
		return n + 1;
	}
}

// A number of the text becomes one that is often wrong, of any length.
static size_t change_number(char *text, size_t size, size_t max, uint64_t *seed)
{
	static const char *const numbers[] = {
		"0",	      "-1",	    "1",	  "4096",
		"2147483647", "4294967295", "4294967296", "0xc0000000",
		"ffffffff",   "11",	    "99",	  "-2147483648",
		"262144",     "131073",	    "0xfffff000", "18446744073709551615"};
	const char *number = numbers[fuzz_random(seed) % (sizeof(numbers) / sizeof(*numbers))];
	size_t from = size ? fuzz_random(seed) % size : 0, to, n = strlen(number);

	while (from < size && (text[from] < '0' || text[from] > '9'))
		from++;
	for (to = from; to < size && strchr("0123456789abcdefx", text[to]) && text[to];)
		to++;
	if (from == size || size - (to - from) + n > max)
		return size;
	memmove(text + from + n, text + to, size - to);
	memcpy(text + from, number, n);
	return size - (to - from) + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static struct line line[LINES];
	uint64_t random = seed;
	char *copy;
	size_t n;

	if (!size || fuzz_random(&random) % 4 == 0)
		return LLVMFuzzerMutate(data, size, max);
	if (fuzz_random(&random) % 2)
		return change_number((char *)data, size, max, &random);
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	n = move_lines(line, split(copy, size, line), &random);
	size = join(line, n, (char *)data, max);
	free(copy);
	return size;
}
