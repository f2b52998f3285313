// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The kalloscope command: dispatch to its subcommands.
int main(void)
{
	return 2;
}
