// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Exit statuses of the kalloscope command beside 0 and 1.
#pragma once

enum {
	EXIT_USAGE = 2,	       // wrong usage, a file that is no recording, a bad query
	EXIT_RECORD = 2,       // record: the recording could not be started
	EXIT_CANNOT_RUN = 126, // record: the program cannot be run
	EXIT_NOT_FOUND = 127,  // record: there is no such program
};
