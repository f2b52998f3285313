// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of return addresses, through elfutils.
//
// Addresses come sorted by file and offset, so one file is open at a time, and an address that
// several processes share is looked up once. Every address is a return address: the call stands
// before it, so what is looked up is the byte before.
#include "symbols.h"

#include <libiberty/demangle.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf_map.h"
#include "symbol_table.h"

enum {
	PROGRESS_EVERY = 1024,
};

// State of one run; at most one file is open.
struct symbols {
	sqlite3 *db;
	sqlite3_stmt *insert, *copy;
	int rc; // first failure of the database
	// the open file
	char *path, *build_id;
	Dwfl *dwfl;
	Dwfl_Module *module;	    // NULL: nothing to be learned from it
	struct symbol_table *table; // of module, made when first asked
	GElf_Addr bias, pc;	    // pc: the return address being resolved
	// the address before, if it had the same file
	int64_t last_address, last_offset;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static void bind_code(struct symbols *y, const struct code_range *code)
{
	bool known = code && code->end > code->start;
	int column[] = {6, 7};
	GElf_Addr value[] = {known ? y->pc - code->start : 0, known ? code->end - code->start : 0};
	for (int i = 0; i < 2; i++)
		if (known)
			sqlite3_bind_int64(y->insert, column[i], (int64_t)value[i]);
		else
			sqlite3_bind_null(y->insert, column[i]);
}

// One function of an address; code: where its code is, NULL when it was inlined. Demangling happens
// here, once, so that queries see readable names.
static void put(struct symbols *y, int64_t address, int order, const char *function,
		const char *file, int line, const struct code_range *code)
{
	char *plain = cplus_demangle(function, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
	// "fclose@@GLIBC_2.2.5": the version is the linker's business
	int length = plain ? -1 : (int)strcspn(function, "@");
	sqlite3_reset(y->insert);
	sqlite3_bind_int64(y->insert, 1, address);
	sqlite3_bind_int(y->insert, 2, order);
	sqlite3_bind_text(y->insert, 3, plain ? plain : function, length, SQLITE_TRANSIENT);
	if (file)
		sqlite3_bind_text(y->insert, 4, file, -1, SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(y->insert, 4);
	if (line > 0)
		sqlite3_bind_int(y->insert, 5, line);
	else
		sqlite3_bind_null(y->insert, 5);
	bind_code(y, code);
	int rc = sqlite3_step(y->insert);
	if (rc != SQLITE_DONE && !y->rc)
		y->rc = rc;
	free(plain);
}

// The same file at the same place, in another process: the same names.
static void put_copy(struct symbols *y, int64_t address)
{
	sqlite3_reset(y->copy);
	sqlite3_bind_int64(y->copy, 1, address);
	sqlite3_bind_int64(y->copy, 2, y->last_address);
	int rc = sqlite3_step(y->copy);
	if (rc != SQLITE_DONE && !y->rc)
		y->rc = rc;
}

static void close_file(struct symbols *y)
{
	symbol_table_free(y->table);
	dwfl_end(y->dwfl);
	free(y->path);
	free(y->build_id);
	y->dwfl = NULL;
	y->module = NULL;
	y->table = NULL;
	y->path = y->build_id = NULL;
	y->last_address = 0;
}

// The file that lies there now is the one that was mapped then.
static bool same_build(Dwfl_Module *module, const char *build_id)
{
	const unsigned char *bits;
	GElf_Addr where;
	char hex[129] = "";
	int n = dwfl_module_build_id(module, &bits, &where);
	if (!build_id || !*build_id)
		return true;
	for (int i = 0; i < n && i < 64; i++)
		sprintf(hex + 2 * i, "%02x", bits[i]);
	return !strcasecmp(hex, build_id);
}

// Reported at address 0: what is looked up are offsets in the file, whatever process they are from.
static void open_file(struct symbols *y, const char *path, const char *build_id)
{
	close_file(y);
	y->path = strdup(path);
	y->build_id = strdup(build_id);
	if (*path != '/') // [vdso] and the like
		return;
	y->dwfl = dwfl_begin(&callbacks);
	if (!y->dwfl)
		return;
	dwfl_report_begin(y->dwfl);
	y->module = dwfl_report_elf(y->dwfl, path, path, -1, 0, true);
	dwfl_report_end(y->dwfl, NULL, NULL);
	if (y->module &&
	    (!dwfl_module_getelf(y->module, &y->bias) || !same_build(y->module, build_id)))
		y->module = NULL;
}

static const char *symbol_name(struct symbols *y, GElf_Addr pc, struct code_range *code)
{
	if (!y->table)
		y->table = symbol_table_new(y->module);
	return y->table ? symbol_table_find(y->table, pc, code) : NULL;
}

static bool mangled(const char *name)
{
	return name && *name == '_' && (name[1] == 'Z' || name[1] == 'R');
}

// The linkage name of C++ and Rust says more (scope, parameters) than the plain one; where debug
// information lacks it, the symbol has it. In C both may be a clone's or an alias'
// (f.constprop.0, __GI_qsort).
static const char *die_name(struct symbols *y, Dwarf_Die *die, GElf_Addr pc)
{
	struct code_range code;
	Dwarf_Attribute attr;
	const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attr));
	if (!name)
		name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr));
	if (!mangled(name) && dwarf_tag(die) == DW_TAG_subprogram)
		name = symbol_name(y, pc, &code);
	return mangled(name) || !dwarf_diename(die) ? name : dwarf_diename(die);
}

static int die_number(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;
	if (dwarf_formudata(dwarf_attr(die, attribute, &attr), &value))
		return 0;
	return (int)value;
}

// Where an inlined function was called: its caller's file, by number in the unit's table.
static const char *call_file(Dwarf_Die *cu, Dwarf_Die *inlined)
{
	Dwarf_Files *files;
	size_t n;
	int i = die_number(inlined, DW_AT_call_file);
	if (dwarf_getsrcfiles(cu, &files, &n) || (size_t)i >= n)
		return NULL;
	return dwarf_filesrc(files, (size_t)i, NULL, NULL);
}

// The functions around pc from the innermost inlined one to the one that has the code. False: no
// function found.
static bool put_scopes(struct symbols *y, int64_t address, GElf_Addr pc, const char *file, int line)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(y->module, pc, &bias), *inner = NULL, *scope = NULL;
	int n = cu ? dwarf_getscopes(cu, pc - bias, &inner) : 0, order = 0;
	// what encloses the code; dwarf_getscopes tells what encloses the definition
	if (n > 0)
		n = dwarf_getscopes_die(&inner[0], &scope);
	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scope[i]);
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		const char *name = die_name(y, &scope[i], pc);
		struct code_range code = {0, 0};
		if (tag == DW_TAG_subprogram)
			symbol_name(y, pc, &code);
		put(y, address, order++, name ? name : "?", file, line, &code);
		if (tag == DW_TAG_subprogram)
			break;
		file = call_file(cu, &scope[i]);
		line = die_number(&scope[i], DW_AT_call_line);
	}
	free(inner);
	free(scope);
	return order > 0;
}

// Debug information if there is any, else the symbol, else nothing.
static void resolve(struct symbols *y, int64_t address, int64_t offset)
{
	GElf_Addr pc = (GElf_Addr)offset - 1 + y->bias;
	struct code_range code = {0, 0};
	int line = 0;
	if (!y->module)
		return;
	if (y->last_address && y->last_offset == offset) {
		put_copy(y, address);
		return;
	}
	y->pc = pc + 1;
	Dwfl_Line *where = dwfl_module_getsrc(y->module, pc);
	const char *file = where ? dwfl_lineinfo(where, NULL, &line, NULL, NULL, NULL) : NULL;
	if (!put_scopes(y, address, pc, file, line)) {
		const char *name = symbol_name(y, pc, &code);
		if (name)
			put(y, address, 0, name, file, line, &code);
	}
	y->last_address = address;
	y->last_offset = offset;
}

static bool is_open(const struct symbols *y, const char *path, const char *build_id)
{
	return y->path && !strcmp(y->path, path) && !strcmp(y->build_id, build_id);
}

static const char *text(sqlite3_stmt *q, int c)
{
	const char *t = (const char *)sqlite3_column_text(q, c);
	return t ? t : "";
}

// The sorter holds the addresses, on disk when they are many; memory stays bounded.
static int resolve_modules(struct symbols *y, uint64_t *done, uint64_t total,
			   void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx)
{
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(
		y->db,
		"SELECT a.address, a.offset, m.path, m.build_id"
		" FROM address a JOIN module m USING (module)"
		" WHERE NOT EXISTS (SELECT 1 FROM frame f WHERE f.address = a.address)"
		" ORDER BY m.path, m.build_id, a.offset",
		-1, &q, NULL);
	while (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		const char *path = text(q, 2), *build_id = text(q, 3);
		if (!is_open(y, path, build_id))
			open_file(y, path, build_id);
		resolve(y, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1));
		if (++*done % PROGRESS_EVERY == 0 && progress)
			progress(ctx, *done, total);
		rc = y->rc;
	}
	sqlite3_finalize(q);
	close_file(y);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

// Code without a file: compilers at run time leave their names in /tmp/perf-PID.map.
static int resolve_generated(struct symbols *y)
{
	sqlite3_stmt *q = NULL;
	struct perf_map map = {0};
	int rc = sqlite3_prepare_v2(
		y->db,
		"SELECT a.address, a.ip, p.pid FROM address a"
		" JOIN process p ON p.image = a.image"
		" WHERE a.module IS NULL"
		" AND NOT EXISTS (SELECT 1 FROM frame f WHERE f.address = a.address)"
		" GROUP BY a.address ORDER BY p.pid",
		-1, &q, NULL);
	while (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
		perf_map_open(&map, sqlite3_column_int(q, 2));
		const char *name = perf_map_find(&map, (uint64_t)sqlite3_column_int64(q, 1) - 1);
		if (name)
			put(y, sqlite3_column_int64(q, 0), 0, name, NULL, 0, NULL);
		rc = y->rc;
	}
	perf_map_close(&map);
	sqlite3_finalize(q);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

// The statements, and how much there is to do.
static int prepare(struct symbols *y, bool again, uint64_t *total)
{
	sqlite3_stmt *q = NULL;
	int rc = again ? sqlite3_exec(y->db, "DELETE FROM frame", NULL, NULL, NULL) : SQLITE_OK;
	if (!rc)
		rc = sqlite3_prepare_v2(
			y->db, "INSERT OR REPLACE INTO frame VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			-1, &y->insert, NULL);
	if (!rc)
		rc = sqlite3_prepare_v2(
			y->db,
			"INSERT OR REPLACE INTO frame SELECT ?1, inline_order, function, file,"
			" line, place, size FROM frame WHERE address = ?2",
			-1, &y->copy, NULL);
	if (!rc)
		rc = sqlite3_prepare_v2(y->db, "SELECT count(*) FROM address", -1, &q, NULL);
	if (!rc && sqlite3_step(q) == SQLITE_ROW)
		*total = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return rc;
}

int symbols_resolve(sqlite3 *db, bool again,
		    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
		    char *err, size_t err_size)
{
	struct symbols y = {.db = db};
	uint64_t done = 0, total = 0;
	bool own = sqlite3_get_autocommit(db);
	// asking a server on the network takes more than finding its address in the environment
	if (!getenv("KALLOSCOPE_DEBUGINFOD"))
		unsetenv("DEBUGINFOD_URLS");
	int rc = own ? sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) : SQLITE_OK;
	if (!rc)
		rc = prepare(&y, again, &total);
	if (!rc)
		rc = resolve_modules(&y, &done, total, progress, ctx);
	if (!rc)
		rc = resolve_generated(&y);
	sqlite3_finalize(y.insert);
	sqlite3_finalize(y.copy);
	if (rc)
		snprintf(err, err_size, "cannot store the names of functions: %s",
			 sqlite3_errmsg(db));
	if (own)
		sqlite3_exec(db, rc ? "ROLLBACK" : "COMMIT", NULL, NULL, NULL);
	return rc ? -EIO : 0;
}
