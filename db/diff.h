// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Comparing two recordings: what the parts of kalloscope diff share.
#pragma once

#include "export.h"
#include "figures.h"

struct diff {
	struct report before, after; // share one output
	enum measure measure;	     // by which sites are compared
	double scale;		     // of the later recording's figures that grow with the work
	unsigned top;
	bool json;
};

// Call sites by name (diff_sites.c): worst first, then what got better. Addresses, lines and the
// compiler's suffixes are not part of a name, so that a rebuilt program has the same sites.
void diff_sites(struct diff *d);
