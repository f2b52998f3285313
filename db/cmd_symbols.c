// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope symbols: names the functions of a recording again, where their debug files are.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "symbols.h"

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kkalloscope: %s of %s addresses", fmt_count(done),
			fmt_count(total));
}

static uint64_t count(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	uint64_t n = s && sqlite3_step(s) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return n;
}

static int resolve(const char *path, bool again)
{
	char err[512] = "";
	sqlite3 *db = NULL;
	int ret = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	if (ret)
		snprintf(err, sizeof(err), "cannot write %s: %s", path, sqlite3_errmsg(db));
	else
		ret = symbols_resolve(db, again, on_progress, NULL, err, sizeof(err));
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (ret)
		cli_error("%s", err);
	else
		printf("%s of %s addresses have names\n",
		       fmt_count(count(db, "SELECT count(DISTINCT address) FROM frame")),
		       fmt_count(count(db, "SELECT count(*) FROM address")));
	sqlite3_close(db);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_symbols(int argc, char **argv)
{
	bool again = false;
	struct cli c;
	cli_init(&c, "symbols", argc, argv);
	while (cli_next(&c) != -1)
		again = true;
	char **operand = cli_operands(&c, 1);
	struct recording *r = cli_open(operand[0]);
	if (!r)
		return EXIT_USAGE;
	bool complete = recording_complete(r);
	recording_close(r);
	if (complete)
		return resolve(operand[0], again);
	cli_error("%s is still written, or was interrupted (then: kalloscope recover)", operand[0]);
	return EXIT_FAILURE;
}
