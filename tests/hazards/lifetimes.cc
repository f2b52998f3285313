// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Allocation before main and after it, and after a thread's own end: constructors, destructors of
// thread-local objects, of keys, of statics.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> ended;
static pthread_key_t key;

struct late {
	std::string text = std::string(300, 'l');
	~late()
	{
		std::vector<std::string> again(20, text);
		ended += static_cast<int>(again.size());
	}
};

static late at_program_end;
static thread_local late at_thread_end;

__attribute__((constructor(102))) static void early()
{
	for (int i = 0; i < 100; i++)
		free(malloc(static_cast<size_t>(i) * 100));
}

// Comes back as often as POSIX lets it.
static void of_key(void *p)
{
	free(p);
	if (++ended % 3)
		pthread_setspecific(key, malloc(500));
}

static void thread_main()
{
	at_thread_end.text += "used";
	pthread_setspecific(key, malloc(1000));
	free(malloc(64));
}

int main()
{
	pthread_key_create(&key, of_key);
	for (int round = 0; round < 20; round++) {
		std::vector<std::thread> all;
		for (int i = 0; i < 8; i++)
			all.emplace_back(thread_main);
		for (auto &t : all)
			t.join();
	}
	at_thread_end.text += "used";
	printf("160 threads, %s\n", ended >= 160 * 21 ? "all ended" : "some did not");
	return 0;
}
