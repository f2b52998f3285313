// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of addresses: table `frame` from `address` and `module`, through DWARF and symbol tables.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Gives names to every address without rows in `frame`, module by module, inside the transaction
// the caller has open (or one of its own). An address nothing is known of gets no row: the views
// then say module+0xoffset. Files whose build id is not the recorded one are not used.
// again: names made earlier are thrown away first.
// 0; or a negative errno and a sentence in err (a database failure; missing debug files are none).
int symbols_resolve(sqlite3 *db, bool again, void (*progress)(void *ctx, uint64_t done, uint64_t total),
		    void *ctx, char *err, size_t err_size);
