// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A plugin: allocates while it is loaded, throws, keeps memory of a thread, ends with its library.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

static std::vector<std::string> loaded(50, std::string(100, 'p'));
static thread_local std::string of_thread;

extern "C" int plugin_work(int n)
{
	std::vector<std::string> v;

	of_thread.assign(200, 't');
	for (int i = 0; i < n; i++)
		v.emplace_back(static_cast<size_t>(i), 'x');
	return static_cast<int>(v.size() + loaded.size());
}

extern "C" void plugin_throw(int depth)
{
	std::string local(100, 'l');

	if (!depth)
		throw std::runtime_error("out of the plugin " + local.substr(0, 3));
	plugin_throw(depth - 1);
}

extern "C" char *plugin_text()
{
	return strdup("allocated by the plugin");
}

extern "C" void plugin_free(void *p)
{
	free(p);
}
