// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine's memory as a file of the session (--dump-state): state.c.
#pragma once

#include "preload.h"

void *state_map(size_t size);  // NULL: not asked for, or not possible
bool state_shared(void);       // a child that shares our files would share the machine
void state_fork_prepare(void); // all locks held: the machine stands still
void state_fork_parent(void);
void state_fork_child(void);  // the slot is the child's
void state_locks_leave(void); // in a child: the words of its CPUs' locks are no longer its parent's
