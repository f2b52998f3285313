// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of addresses, looked up in this very program.
#include "harness.h"

#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "../db/perf_map.h"
#include "../db/symbols.h"
#include "db/schema.h"

static sqlite3 *db;
static char exe[4096];
static uintptr_t base;

static void *volatile sink;

__attribute__((always_inline)) static inline void *innermost(void)
{
	return __builtin_return_address(0); // never the place looked for
}

// Where a call in `outer_function` returns to, seen through two levels of inlining.
static uintptr_t here;
__attribute__((noinline)) static void note_caller(void)
{
	here = (uintptr_t)__builtin_return_address(0);
}
__attribute__((always_inline)) static inline void level_two(void)
{
	note_caller(); // LINE two
	sink = NULL;
}
static const int LINE_TWO = __LINE__ - 3;
__attribute__((always_inline)) static inline void level_one(void)
{
	level_two(); // LINE one
}
static const int LINE_ONE = __LINE__ - 2;
__attribute__((noinline)) static void outer_function(void)
{
	level_one();
	sink = innermost();
}
static const int LINE_OUTER = __LINE__ - 3;

static int on_module(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size, (void)data;
	base = info->dlpi_addr;
	return 1; // the first is the program
}

static void exec(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *sql = sqlite3_vmprintf(fmt, ap), *err = NULL;
	va_end(ap);
	if (sqlite3_exec(db, sql, NULL, NULL, &err))
		printf("# %s: %s\n", sql, err);
	CHECK(!err);
	sqlite3_free(sql);
}

static void resolve(bool again)
{
	char err[256] = "";
	CHECK_EQ(symbols_resolve(db, again, NULL, NULL, err, sizeof(err)), 0);
}

// One text of the names of an address: function:file:line, innermost first.
static const char *names(int address)
{
	static char text[1024];
	sqlite3_stmt *s;
	sqlite3_prepare_v2(
		db,
		"SELECT ifnull(group_concat(function || ':' || ifnull(line, '-'), ' '), '')"
		" FROM (SELECT * FROM frame WHERE address = ?1 ORDER BY inline_order)",
		-1, &s, NULL);
	sqlite3_bind_int(s, 1, address);
	sqlite3_step(s);
	snprintf(text, sizeof(text), "%s", sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return text;
}

static void inlined_functions_are_told(void)
{
	char expected[256];
	outer_function();
	exec("INSERT INTO module(module, path, base) VALUES (1, %Q, %lld)", exe, (long long)base);
	exec("INSERT INTO address VALUES (1, 0, %lld, 1, %lld)", (long long)here,
	     (long long)(here - base));
	exec("INSERT INTO address VALUES (2, 1, %lld, 1, %lld)", (long long)here,
	     (long long)(here - base));
	resolve(false);
	snprintf(expected, sizeof(expected), "level_two:%d level_one:%d outer_function:%d",
		 LINE_TWO, LINE_ONE, LINE_OUTER);
	CHECK_STR(names(1), expected);
	CHECK_STR(names(2), expected); // the same place in another image
}

static int64_t number_of(const char *sql)
{
	sqlite3_stmt *s;
	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
	sqlite3_finalize(s);
	return n;
}

// Only the function that has the code has a place in it.
static void places_are_those_of_the_code(void)
{
	CHECK_EQ(
		number_of(
			"SELECT place FROM frame WHERE address = 1 AND function = 'outer_function'"),
		here - (uintptr_t)outer_function);
	CHECK_EQ(number_of("SELECT size > place FROM frame WHERE function = 'outer_function'"), 1);
	CHECK_EQ(number_of("SELECT count(*) FROM frame WHERE place IS NOT NULL"), 2);
	CHECK_EQ(number_of("SELECT count(*) FROM frame WHERE size IS NULL"), 4);
}

static void names_stay_until_made_again(void)
{
	exec("UPDATE frame SET function = 'mine' WHERE address = 1");
	resolve(false);
	CHECK(strstr(names(1), "mine"));
	resolve(true);
	CHECK(strstr(names(1), "level_two"));
}

static void another_build_is_not_used(void)
{
	exec("UPDATE module SET build_id = '0123456789abcdef0123456789abcdef01234567'");
	resolve(true);
	CHECK_STR(names(1), "");
	exec("UPDATE module SET build_id = NULL");
	resolve(true);
	CHECK(*names(1));
}

static void missing_files_leave_addresses_alone(void)
{
	exec("INSERT INTO module(module, path) VALUES (2, '/no/such/library.so'), (3, 'linux-vdso.so.1'), (4, NULL)");
	exec("INSERT INTO address VALUES (3, 0, 1000, 2, 1000), (4, 0, 1000, 3, 1000), (5, 0, 1000, 4, 1000),"
	     " (6, 0, 5, NULL, NULL)");
	resolve(true);
	CHECK_STR(names(3), "");
	CHECK_STR(names(4), "");
	CHECK_STR(names(5), "");
	CHECK_STR(names(6), "");
	CHECK(*names(1));
}

static void library_functions_have_names(void)
{
	struct link_map *map;
	Dl_info info;
	CHECK(dladdr1((void *)(uintptr_t)qsort, &info, (void **)&map, RTLD_DL_LINKMAP));
	exec("INSERT INTO module(module, path) VALUES (5, %Q)", info.dli_fname);
	exec("INSERT INTO address VALUES (7, 0, 0, 5, %lld)",
	     (long long)((uintptr_t)info.dli_saddr - map->l_addr + 5));
	resolve(true);
	CHECK(!strncmp(names(7), "qsort", 5) || strstr(names(7), " qsort"));
	CHECK(!strchr(names(7), '@'));
}

// Code without debug information: aliases at one address, a symbol within another, one without a
// size, and a place beyond all of them.
__asm__(".pushsection .text.symbols_test, \"ax\"\n"
	".globl st_global\n.weak st_weak\n.globl st_wide\n"
	".type st_local, @function\n.type st_weak, @function\n.type st_global, @function\n"
	"st_local:\nst_weak:\nst_global:\n.skip 16, 0x90\n"
	".size st_local, 16\n.size st_weak, 16\n.size st_global, 16\n"
	".type st_wide, @function\nst_wide:\n.skip 16, 0x90\n"
	".type st_inner, @function\nst_inner:\n.skip 16, 0x90\n.size st_inner, 16\n"
	".skip 32, 0x90\n.size st_wide, 64\n"
	"st_bare:\n.skip 8, 0x90\n"
	".type st_last, @function\nst_last:\n.skip 8, 0x90\n.size st_last, 4\n"
	".popsection\n");
extern const char st_global[], st_wide[];

static void symbols_are_found_by_address(void)
{
	static const struct {
		int at; // bytes from st_global
		const char *name;
	} known[] = {{0, "st_global:-"}, {15, "st_global:-"},
		     {16, "st_wide:-"},	 {40, "st_inner:-"},
		     {47, "st_inner:-"}, {48, "st_wide:-"},
		     {79, "st_wide:-"},	 {80, "st_bare:-"},
		     {88, "st_last:-"},	 {93, ""}};
	CHECK_EQ(st_wide - st_global, 16);
	for (int i = 0; i < (int)(sizeof(known) / sizeof(known[0])); i++)
		exec("INSERT INTO address VALUES (%d, 0, %d, 1, %lld)", 100 + i, i,
		     (long long)((uintptr_t)st_global - base) + known[i].at + 1);
	resolve(true);
	for (int i = 0; i < (int)(sizeof(known) / sizeof(known[0])); i++)
		CHECK_STR(names(100 + i), known[i].name);
}

static void a_failing_database_is_an_error(void)
{
	sqlite3 *broken;
	char err[256] = "";
	CHECK_EQ(sqlite3_open(":memory:", &broken), 0);
	CHECK(symbols_resolve(broken, false, NULL, NULL, err, sizeof(err)) < 0);
	CHECK(*err);
	sqlite3_close(broken);
}

static void generated_code_is_in_the_perf_map(void)
{
	char path[64];
	struct perf_map m = {0};
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	FILE *f = fopen(path, "w");
	CHECK(f);
	fputs("2000 10 second\n1000 100 first one\nnonsense\n3000\n", f);
	fclose(f);
	perf_map_open(&m, (int)getpid());
	CHECK_EQ(m.n, 2);
	CHECK_STR(perf_map_find(&m, 0x1000), "first one");
	CHECK_STR(perf_map_find(&m, 0x10ff), "first one");
	CHECK(!perf_map_find(&m, 0x1100));
	CHECK(!perf_map_find(&m, 0xfff));
	CHECK_STR(perf_map_find(&m, 0x200f), "second");
	CHECK(!perf_map_find(&m, UINT64_MAX));
	perf_map_close(&m);
	exec("INSERT INTO process(process, image, pid) VALUES (1, 9, %d)", (int)getpid());
	exec("INSERT INTO address VALUES (8, 9, %d, NULL, NULL)", 0x1001);
	resolve(true);
	CHECK_STR(names(8), "first one:-");
	unlink(path);
}

int main(void)
{
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	dl_iterate_phdr(on_module, NULL);
	sqlite3_open(":memory:", &db);
	sqlite3_exec(db, schema_sql, NULL, NULL, NULL);
	RUN(inlined_functions_are_told);
	RUN(places_are_those_of_the_code);
	RUN(names_stay_until_made_again);
	RUN(another_build_is_not_used);
	RUN(missing_files_leave_addresses_alone);
	RUN(library_functions_have_names);
	RUN(symbols_are_found_by_address);
	RUN(a_failing_database_is_an_error);
	RUN(generated_code_is_in_the_perf_map);
	sqlite3_close(db);
	return DONE();
}
