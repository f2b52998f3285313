// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Who served the allocations: counted while inserting, so that nobody has to scan the events.
#include "inserter.h"

void served_count(struct inserter *ins, const struct record *r, uint64_t event)
{
	unsigned reason = r->path == PATH_HOST ? r->op.cache : 0;

	if (r->path == PATH_NONE || r->path == PATH_FILE || reason >= HOST_REASONS)
		return;
	struct served *s = &ins->served[reason];
	if (!s->calls++) {
		s->first_event = event;
		s->first_req = r->op.req;
	}
	s->bytes += r->op.req;
}

void served_store(struct inserter *ins)
{
	for (int64_t reason = 0; reason < HOST_REASONS; reason++) {
		const struct served *s = &ins->served[reason];
		if (s->calls)
			store_run(ins, ST_SERVED, "iiiii", reason, (int64_t)s->calls,
				  (int64_t)s->bytes, (int64_t)s->first_event,
				  (int64_t)s->first_req);
	}
}
