// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// exceptions MODE [PLUGIN]: C++ exceptions, thrown through and by what we serve.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <new>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%d: not so: %s\n", __LINE__, #what);                      \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static int caught;

static void thrower(int depth)
{
	std::vector<std::string> keep(static_cast<size_t>(depth % 5), "kept");

	if (!depth)
		throw std::runtime_error("deep");
	thrower(depth - 1);
}

static void many()
{
	for (int i = 0; i < 300; i++)
		try {
			thrower(i % 60);
		} catch (const std::exception &) {
			caught++;
			free(malloc(100));
		}
}

static void too_much()
{
	volatile size_t size = static_cast<size_t>(1) << 62;

	for (int i = 0; i < 20; i++)
		try {
			std::unique_ptr<char[]> p(new char[size]);
			CHECK(false);
		} catch (const std::bad_alloc &) {
			caught++;
		}
	CHECK(!new (std::nothrow) char[size]);
}

static int handler_calls;

static void new_handler()
{
	if (++handler_calls == 3)
		throw std::length_error("from the handler");
}

static void out_of_new_handler()
{
	volatile size_t size = static_cast<size_t>(1) << 62;

	std::set_new_handler(new_handler);
	try {
		operator delete(operator new(size));
	} catch (const std::length_error &) {
		caught++;
	}
	CHECK(handler_calls == 3);
	std::set_new_handler(nullptr);
}

static int compare(const void *a, const void *b)
{
	std::string scratch(100, 'c');

	if (*static_cast<const int *>(a) == 77 || *static_cast<const int *>(b) == 77)
		throw 77;
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

// Through a frame of C that allocates for itself.
static void through_c()
{
	std::vector<int> v(5000);

	for (size_t i = 0; i < v.size(); i++)
		v[i] = static_cast<int>((i * 7919) % 5000);
	try {
		qsort(v.data(), v.size(), sizeof(v[0]), compare);
	} catch (int) {
		caught++;
	}
}

static void in_threads()
{
	std::vector<std::thread> all;

	for (int i = 0; i < 4; i++)
		all.emplace_back([] {
			for (int k = 0; k < 100; k++)
				try {
					thrower(k % 20);
				} catch (...) {
					free(malloc(64));
				}
		});
	for (auto &t : all)
		t.join();
	caught += 4;
}

static void *cancelled(void *)
{
	for (;;) {
		std::string keep(1000, 'k');
		pthread_testcancel();
	}
}

static void cancellation()
{
	for (int i = 0; i < 10; i++) {
		pthread_t t;
		void *result;
		CHECK(!pthread_create(&t, nullptr, cancelled, nullptr));
		CHECK(!pthread_cancel(t) && !pthread_join(t, &result));
		CHECK(result == PTHREAD_CANCELED);
	}
	caught += 10;
}

static void own()
{
	many();
	too_much();
	out_of_new_handler();
	through_c();
	in_threads();
	cancellation();
	printf("%d caught\n", caught);
}

static void plugin(const char *path)
{
	for (int i = 0; i < 20; i++) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			exit(1);
		}
		auto work = reinterpret_cast<int (*)(int)>(dlsym(library, "plugin_work"));
		auto fling = reinterpret_cast<void (*)(int)>(dlsym(library, "plugin_throw"));
		CHECK(work && fling && work(100) == 150);
		try {
			fling(i);
		} catch (const std::exception &e) {
			caught += !strcmp(e.what(), "out of the plugin lll");
		}
		dlclose(library);
	}
	printf("%d caught out of plugins\n", caught);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "plugin"))
		plugin(argv[2]);
	else
		own();
	return 0;
}
