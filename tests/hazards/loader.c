// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// loader MODE PLUGIN: the dynamic loader's lock and data against the allocator's.
#include "hazard.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

static const char *path;
static volatile bool stop;

static void *allocator(void *arg)
{
	unsigned long rounds = 0;

	while (!stop) {
		free(deep((int)(rounds++ % 60), 64));
		churn(50);
	}
	return arg;
}

static int count_module(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)info;
	(void)size;
	free(malloc(200)); // with the loader's lock held
	++*(int *)data;
	return 0;
}

// Modules come and go under threads whose stacks are being walked.
static void storm(void)
{
	pthread_t t[4];
	int modules = 0;

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, allocator, NULL));
	for (int i = 0; i < 300; i++) {
		void *library = dlopen(path, RTLD_NOW);
		CHECK(library);
		int (*work)(int) = (int (*)(int))(uintptr_t)dlsym(library, "plugin_work");
		CHECK(work && work(20) == 70);
		dl_iterate_phdr(count_module, &modules);
		CHECK(!dlclose(library));
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(modules > 300);
	puts("300 times loaded and unloaded");
}

// A library that looks for its symbols in itself first: its malloc is libc's, its pointers are not ours.
static void deepbind(void)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);

	CHECK(library);
	char *(*text)(void) = (char *(*)(void))(uintptr_t)dlsym(library, "plugin_text");
	void (*release)(void *) = (void (*)(void *))(uintptr_t)dlsym(library, "plugin_free");
	CHECK(text && release);
	for (int i = 0; i < 200; i++) {
		char *theirs = text();
		CHECK(!strcmp(theirs, "allocated by the plugin"));
		theirs = realloc(theirs, 4000 + (size_t)i);
		CHECK(theirs && !strcmp(theirs, "allocated by the plugin"));
		free(theirs);
		release(text());
	}
	puts("200 pointers from a library bound to libc");
}

// By its bare name: whose search path counts must not change.
static void by_name(void)
{
	void *library = dlopen("libplugin.so", RTLD_NOW);

	CHECK(library);
	int (*work)(int) = (int (*)(int))(uintptr_t)dlsym(library, "plugin_work");
	CHECK(work && work(10) == 60);
	puts("found by the program's own search path");
}

static void *load_once(void *arg)
{
	void *library = dlopen(path, RTLD_NOW);

	churn(100);
	CHECK(library && !dlclose(library));
	return arg;
}

static void threads(void)
{
	pthread_t t[8];

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++)
			CHECK(!pthread_create(&t[i], NULL, load_once, NULL));
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
	}
	puts("160 threads loaded it");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"storm", storm}, {"deepbind", deepbind}, {"name", by_name}, {"threads", threads}};

	path = argc > 2 ? argv[2] : "libplugin.so";
	return RUN_MODE(modes, argc, argv);
}
