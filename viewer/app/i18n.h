// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Translation of what the window says.
#pragma once

#include <glib.h>

#include "../text.h"
