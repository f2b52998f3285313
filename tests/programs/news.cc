// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// C++'s allocation: every form of new and delete, failure by exception, a new handler.
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct alignas(256) Wide {
	char bytes[300];
};

static int handled;

static void handler()
{
	if (++handled == 3)
		std::set_new_handler(nullptr);
}

int main()
{
	volatile size_t huge = ~size_t(0) / 4;
	auto *wide = new Wide, *several = new Wide[3];
	bool aligned = !((uintptr_t)wide % 256) && !((uintptr_t)several % 256);
	delete wide;
	delete[] several;
	int thrown = 0;
	try {
		delete[] new char[huge];
	} catch (std::bad_alloc &) {
		thrown++;
	}
	std::set_new_handler(handler);
	try {
		delete new (std::align_val_t(64)) char[huge];
	} catch (std::bad_alloc &) {
		thrown++;
	}
	bool null = !new (std::nothrow) char[huge];
	std::map<std::string, std::vector<int>> all;
	for (int i = 0; i < 20000; i++)
		all[std::to_string(i % 3000)].push_back(i);
	auto shared = std::make_shared<Wide>();
	std::printf("aligned %d, thrown %d, handled %d, null %d, %zu\n", aligned, thrown, handled, null,
		    all.size());
	return 0;
}
