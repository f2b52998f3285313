// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Quoting for JSON and CSV.
#include "quote.h"

#include <json-glib/json-glib.h>
#include <string.h>

char *json_quote(const char *t)
{
	g_autofree char *valid = g_utf8_make_valid(t, -1);
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
	json_node_set_string(node, valid);
	return json_to_string(node, FALSE);
}

void csv_quote(GString *out, const char *t)
{
	if (!strpbrk(t, ",\"\r\n")) {
		g_string_append(out, t);
		return;
	}
	g_string_append_c(out, '"');
	for (; *t; t++) {
		if (*t == '"')
			g_string_append_c(out, '"');
		g_string_append_c(out, *t);
	}
	g_string_append_c(out, '"');
}
