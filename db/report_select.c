// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a report or an export looks at: which process, which events, which stacks.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static struct cli_at moment(const struct cli *c, const char *option, const char *text)
{
	struct cli_at at;
	if (!text || !cli_parse_at(text, &at))
		cli_usage(c->cmd->name,
			  "%s %s: not an event (#123), a time (3.2s, 500ms), end or mark:TEXT",
			  option, text ? text : "");
	return at;
}

int option_number(const struct cli *c, const char *option, int least)
{
	char *end;
	errno = 0;
	long n = strtol(c->value, &end, 10);
	if (errno || *end || end == c->value || n < least || n > 1000000000)
		cli_usage(c->cmd->name, "%s %s: not a number from %d", option, c->value, least);
	return (int)n;
}

// The second moment is the word behind the option's argument: taken before getopt looks at it.
static void between(struct report_args *a, struct cli *c)
{
	a->window = true;
	a->from = moment(c, "--between", c->value);
	a->to = moment(c, "--between: the second moment",
		       c->optind < c->argc ? c->argv[c->optind] : NULL);
	optind++;
}

bool select_option(struct report_args *a, struct cli *c, int id)
{
	switch (id) {
	case 'p':
		a->process = option_number(c, "--process", 1);
		return true;
	case 'f':
		a->filter = c->value;
		return true;
	case 'b':
		between(a, c);
		return true;
	case 'a':
		a->at = moment(c, "--at", c->value);
		return true;
	default:
		return false;
	}
}

// NULL after a message.
static const struct process_info *choose_process(struct recording *r, int process)
{
	const struct process_info *list, *p = recording_process(r, process);
	unsigned n = recording_processes(r, &list);
	if (!p && n)
		cli_error("there is no process %d; the recording has 1 to %d", process,
			  list[n - 1].process);
	else if (!p)
		cli_error("the recording holds no process");
	return p;
}

static void set_window(struct report *rp, const struct report_args *a, const char *command)
{
	rp->from = rp->p->first_event;
	rp->to = rp->p->last_event;
	rp->at = cli_at_event(rp->r, &a->at);
	if (rp->to > recording_events(rp->r)) // a damaged file may say anything
		rp->to = recording_events(rp->r);
	if (!a->window)
		return;
	uint64_t from = cli_at_event(rp->r, &a->from), to = cli_at_event(rp->r, &a->to);
	if (from > to)
		cli_usage(command, "--between: the second moment is before the first");
	rp->window = true;
	rp->from = from > rp->from ? from : rp->from;
	rp->to = to < rp->to ? to : rp->to;
}

bool report_has_stacks(struct recording *r)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(recording_db(r), "SELECT 1 FROM stack_frame LIMIT 1", -1, &s, NULL);
	bool any = s && sqlite3_step(s) == SQLITE_ROW;
	sqlite3_finalize(s);
	return any;
}

// An answer of zeros has its reason told; on stderr, for it is no part of the answer.
static void explain_nothing(const struct report *rp, const struct report_args *a)
{
	if (!rp->p->events)
		cli_error("note: process %d made no call that is recorded", rp->p->process);
	else if (rp->from > rp->to)
		cli_error("note: process %d did nothing between these moments; its events are "
			  "#%llu to #%llu",
			  rp->p->process, (unsigned long long)rp->p->first_event,
			  (unsigned long long)rp->p->last_event);
	if (rp->wanted && !report_has_stacks(rp->r))
		cli_error("note: --filter finds nothing: the recording has no stacks "
			  "(recorded with --frames=0?)");
	else if (rp->wanted && !g_hash_table_size(rp->wanted))
		cli_error("note: --filter %s: no stack has that in a function, file or module",
			  a->filter);
}

bool report_begin(struct report *rp, struct recording *r, const struct report_args *a,
		  const char *command)
{
	*rp = (struct report){.r = r,
			      .db = recording_db(r),
			      .top = a->top,
			      .tree = a->tree,
			      .top_down = a->top_down,
			      .suppressions = a->suppressions};
	rp->p = choose_process(r, a->process);
	if (!rp->p)
		return false;
	set_window(rp, a, command);
	rp->names = names_open(r);
	rp->wanted = a->filter ? stacks_naming(r, a->filter) : NULL;
	if (!a->silent)
		explain_nothing(rp, a);
	return true;
}

void report_end(struct report *rp)
{
	if (rp->names)
		names_close(rp->names);
	if (rp->wanted)
		g_hash_table_unref(rp->wanted);
}
