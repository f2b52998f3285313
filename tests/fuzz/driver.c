// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Runs a fuzz target without libFuzzer: every file of a corpus, then changed ones for a while.
//   fuzz_TARGET [-s SECONDS] [-r SEED] FILE-OR-FOLDER...
// Whatever ends the program, the input it was at lies in crash-TARGET.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum {
	INPUT_MAX = 1 << 17,
	HANGS_S = 30 // longer than any input may take
};

struct seed {
	uint8_t *data;
	size_t size;
};
static struct seed *seeds;
static size_t nseeds;
static uint64_t random_state = 1;
static uint8_t input[INPUT_MAX];
static size_t input_size;
static const char *target;

// Nothing behind a failure is to be trusted: plain calls only.
static void keep_input(void)
{
	FILE *f = fopen(target, "wb");

	if (f) {
		fwrite(input, 1, input_size, f);
		fclose(f);
		fprintf(stderr, "the input is in %s\n", target);
	}
}

static void on_signal(int sig)
{
	static const char abrt[] = "aborted\n", alrm[] = "an input took too long\n";

	if (write(2, sig == SIGALRM ? alrm : abrt,
		  sig == SIGALRM ? sizeof(alrm) - 1 : sizeof(abrt) - 1) < 0)
		_exit(3);
	keep_input();
	_exit(1);
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	size_t at = size ? fuzz_random(&random_state) % size : 0;
	size_t n = 1 + fuzz_random(&random_state) % 8;

	switch (fuzz_random(&random_state) % 5) {
	case 0: // more bytes
		n = n < max - size ? n : max - size;
		memmove(data + at + n, data + at, size - at);
		for (size_t i = 0; i < n; i++)
			data[at + i] = (uint8_t)fuzz_random(&random_state);
		return size + n;
	case 1: // fewer
		n = n < size - at ? n : size - at;
		memmove(data + at, data + at + n, size - at - n);
		return size - n;
	case 2:
		for (size_t i = at; i < size && i < at + n; i++)
			data[i] = fuzz_random(&random_state) & 1 ? 0xff : 0;
		return size;
	default:
		if (size)
			data[at] = (uint8_t)fuzz_random(&random_state);
		return size;
	}
}

static void run_input(void)
{
	alarm(HANGS_S);
	LLVMFuzzerTestOneInput(input, input_size);
	alarm(0);
}

static void add_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct seed *more = realloc(seeds, (nseeds + 1) * sizeof(*seeds));

	if (!f || !more)
		exit(2);
	seeds = more;
	input_size = fread(input, 1, sizeof(input), f);
	fclose(f);
	seeds[nseeds].data = malloc(input_size + 1);
	if (!seeds[nseeds].data)
		exit(2);
	memcpy(seeds[nseeds].data, input, input_size);
	seeds[nseeds++].size = input_size;
	run_input();
}

static void add(const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort);

	if (n < 0 && errno == ENOTDIR) {
		add_file(path);
		return;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (*list[i]->d_name != '.')
			add_file(file);
		free(list[i]);
	}
	free(list);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// A seed changed a few times.
static void make_input(void)
{
	const struct seed *s = &seeds[fuzz_random(&random_state) % nseeds];

	memcpy(input, s->data, s->size);
	input_size = s->size;
	for (unsigned n = 1 + fuzz_random(&random_state) % 5; n; n--)
		input_size = LLVMFuzzerCustomMutator(input, input_size, sizeof(input),
						     fuzz_random(&random_state));
}

int main(int argc, char **argv)
{
	static char kept[PATH_MAX];
	const char *slash = strrchr(argv[0], '/');
	double until = 0;
	size_t runs;

	for (int c; (c = getopt(argc, argv, "s:r:")) != -1;) {
		if (c == 's')
			until = atof(optarg);
		else if (c == 'r')
			random_state = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	snprintf(kept, sizeof(kept), "crash-%s", slash ? slash + 1 : argv[0]);
	target = kept;
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	__sanitizer_set_death_callback(keep_input);
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = optind; i < argc; i++)
		add(argv[i]);
	runs = nseeds;
	for (until += seconds(); nseeds && seconds() < until; runs++) {
		make_input();
		run_input();
	}
	fprintf(stderr, "%zu inputs, %zu of them from the corpus\n", runs, nseeds);
	return nseeds ? 0 : 2;
}
