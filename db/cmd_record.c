// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope record: runs a program with the library preloaded, and stays until the recording is
// finished.
//
//   record ── fork ── program       waits in read() until its session exists, then execs
//     ├── fork ── drainer           rings -> spool; replaced when it dies
//     └── fork ── inserter          spool -> SQLite
//
// The program keeps everything it would have without us: terminal, process group, files, signal
// dispositions (it is forked before we change any) and parent.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "launch.h"
#include "record_args.h"
#include "record_check.h"
#include "recorder.h"
#include "summary.h"
#include "supervise.h"

const struct cli_option record_options_table[] = {
	{"output", 'o', "FILE", "the recording to make; default: PROGRAM.PID.kalloscope"},
	{"force", 'f', NULL, "replace FILE when it exists"},
	{"quiet", 'q', NULL, "no progress, no summary"},
	MACHINE_OPTIONS,
	{"fail", 261, NULL, "a full machine fails the call"},
	{"spill", 262, NULL, "a full machine lets the host serve the call; default"},
	{"no-site-caches", 263, NULL, "no caches of their own for busy call sites"},
	{"site-threshold", 268, "N",
	 "calls of one size until a site gets its cache; default: 1024"},
	{"frames", 264, "N", "frames of a stack recorded at most; 0: none"},
	{"dump-state", 265, NULL, "compare the program's final machine with the replayed one"},
	{"precise-time", 266, NULL, "read the clock at every event"},
	{"wait", 269, "MS", "how long a full buffer may hold the program up; default: 2000"},
	{"after", 901, "TIME", "begin to record after this time (500ms, 2.5s, 3min)"},
	{"for", 902, "TIME", "record for this long; the program goes on"},
	{"only", 903, "NAMES", "record only programs of these names (cc1,ld)"},
	{"max-size", 904, "SIZE", "stop recording when the file has this size (1G)"},
	{0},
};

// All there is to know about one run, in the order in which it becomes known.
struct launch {
	struct record_options opt;
	struct program_check check;
	struct supervisor sup;
	char output[PATH_MAX];
	char folder[PATH_MAX];
	char *library;
	bool quiet;
	int go[2];     // we tell the child where its session is
	int failed[2]; // it tells us why exec failed; closed by a successful one
	struct session_header *rings;
	pid_t pid;
	bool exited;
	int wait_status;
};

// Written by the handler. interrupted counts only once the program has ended: before that a signal
// is the program's business.
static volatile sig_atomic_t interrupted;
static volatile pid_t program_pid;

// Ctrl-C reaches the program through the terminal; what somebody sends to us alone is meant for it.
static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	interrupted = sig;
	if (info->si_code <= 0 && program_pid)
		kill(program_pid, sig);
}

static void on_child(int sig)
{
	(void)sig; // only ends ppoll
}

// Signals that were ignored (nohup, a shell's background job) stay ignored.
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
	struct sigaction pass = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction child = {.sa_handler = on_child}, old;
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &pass, NULL);
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void program_main(struct launch *l) __attribute__((noreturn));
static void program_main(struct launch *l)
{
	char session[PATH_MAX];
	ssize_t n = read(l->go[0], session, sizeof(session) - 1);
	if (n <= 0) // the launcher found a reason not to go on
		_exit(EXIT_RECORD);
	session[n] = 0;

	int err = launch_exec(&l->check, l->opt.argv, l->library, session, -1);
	if (write(l->failed[1], &err, sizeof(err)) < 0)
		_exit(EXIT_RECORD);
	_exit(EXIT_CANNOT_RUN);
}

// The child exists before its session: its pid is part of the default name, and the drainer has to
// know whom to wait for.
static bool fork_program(struct launch *l, char *err)
{
	if (!pipe2(l->go, O_CLOEXEC) && !pipe2(l->failed, O_CLOEXEC))
		l->pid = fork();
	else
		l->pid = -1;
	if (l->pid < 0) {
		snprintf(err, ERR_LEN, "cannot start the program: %s", strerror(errno));
		return false;
	}
	if (!l->pid) {
		close(l->go[1]);
		close(l->failed[0]);
		program_main(l);
	}
	close(l->go[0]);
	close(l->failed[1]);
	return true;
}

// The inserter removes the folder at the end; the mapping stays and tells whether anybody came.
static bool map_rings(struct launch *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*l->rings), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	l->rings = p == MAP_FAILED ? NULL : p;
	return l->rings;
}

// The program may go: session, drainer and inserter are there. false: exec failed (errno).
static bool release_program(struct launch *l, const char *rings)
{
	int err = 0;
	ssize_t n = write(l->go[1], rings, strlen(rings));
	close(l->go[1]);
	if (n > 0 && read(l->failed[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(l->failed[0]);
	errno = err;
	return !err;
}

// Everything up to the moment the program runs. On failure nothing is left behind.
static bool start(struct launch *l, char *err)
{
	char rings[PATH_MAX + 8];
	if (!fork_program(l, err))
		return false;
	recorder_manners();
	output_path(l->opt.output, l->opt.argv[0], l->pid, l->output, sizeof(l->output));
	l->opt.output = l->output;
	if (session_create(&l->opt, l->folder, sizeof(l->folder), err))
		goto err_program;
	snprintf(rings, sizeof(rings), "%s/rings", l->folder);
	program_pid = l->pid;
	catch_signals();
	if (!map_rings(l, rings)) {
		snprintf(err, ERR_LEN, "cannot open %.300s: %s", rings, strerror(errno));
		goto err_program;
	}
	if (supervise_start(&l->sup, l->folder, l->pid, err))
		goto err_program;
	if (release_program(l, rings))
		return true;
	snprintf(err, ERR_LEN, "cannot run %.300s: %s", l->check.path, strerror(errno));
	supervise_wait(&l->sup); // what they make of a program that never was
	unlink(l->output);
	return false;
err_program:
	close(l->go[1]); // a child still waiting reads the end and goes
	waitpid(l->pid, NULL, 0);
	return false;
}

// The terminal is the program's until it has ended.
static bool progress_shown(const struct launch *l)
{
	return !l->quiet && l->exited && isatty(STDERR_FILENO);
}

static void show_progress(const struct launch *l)
{
	const struct insert_progress *p = &l->sup.progress;
	double part = p->spool_size ? (double)p->spool_done / (double)p->spool_size : 0;
	bool storing = !strcmp(p->phase, "recording"); // what is left of it
	fprintf(stderr,
		"\r\033[Kkalloscope: %s: %s events, %d %% (Ctrl-C: go on in the background)",
		storing ? "storing" : p->phase, fmt_count(p->events),
		part > 1 ? 100 : (int)(100 * part));
}

// All children that have ended: the program, or one of the recorder's two.
static void reap(struct launch *l)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == l->pid) {
			l->exited = true;
			l->wait_status = status;
			program_pid = 0;
			interrupted = 0;
		} else {
			supervise_reaped(&l->sup, pid, status);
		}
	}
}

// Until the recording is finished, or the user stops waiting for it.
static void follow(struct launch *l)
{
	struct pollfd pfd = {.fd = l->sup.pipe, .events = POLLIN};
	struct timespec tick = {.tv_nsec = 200000000};
	sigset_t block, old;
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	for (;;) {
		reap(l);
		supervise_read(&l->sup);
		if (l->exited && (l->sup.finished || interrupted))
			break;
		if (progress_shown(l))
			show_progress(l);
		ppoll(&pfd, 1, &tick, &old);
	}
	if (progress_shown(l))
		fputs("\r\033[K", stderr);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

// As shells have it in $?.
static int exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// The library came up and was told to leave the program alone.
static void say_none_wanted(const struct launch *l)
{
	const struct session_options *o = &l->opt.session;
	if (*o->only)
		cli_error("nothing was recorded: no program of --only=%s was run", o->only);
	else
		cli_error("nothing was recorded: the program ended before --after was over");
	unlink(l->output);
}

static void say_nothing_recorded(const struct launch *l)
{
	cli_error("nothing was recorded: %s ended without loading the library.", l->check.path);
	fprintf(stderr,
		"  It may have been stopped before its first call, cleared LD_PRELOAD, or be run by a\n"
		"  loader that refuses %s.\n",
		l->library);
	unlink(l->output);
}

// Only the parent learns how the program ended; its last image is the one that did.
static void store_status(const struct launch *l)
{
	sqlite3 *db = NULL;
	char *sql = sqlite3_mprintf("UPDATE process SET wait_status = %d WHERE process ="
				    " (SELECT max(process) FROM process WHERE pid = %d)",
				    l->wait_status, (int)l->pid);
	if (!sqlite3_open_v2(l->output, &db, SQLITE_OPEN_READWRITE, NULL))
		sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	sqlite3_free(sql);
}

// What is said when the program has ended; nothing here changes the exit status.
static void report(struct launch *l)
{
	if (!l->sup.finished) {
		cli_error("the recording is being finished in the background: %s", l->output);
		return;
	}
	if (!l->sup.ok) {
		cli_error("the recording could not be finished: %s",
			  *l->sup.err ? l->sup.err : "the inserter failed");
		cli_error("try: kalloscope recover %s", l->folder);
		return;
	}
	if (!atomic_load(&l->rings->announced)) {
		say_nothing_recorded(l);
		return;
	}
	if (!atomic_load(&l->rings->next_process)) {
		say_none_wanted(l);
		return;
	}
	store_status(l);
	if (!l->quiet)
		summary_print_recorded(l->output, exit_status(l->wait_status));
}

static bool own_option(void *ctx, int id)
{
	((struct launch *)ctx)->quiet |= id == 'q';
	return id == 'q';
}

static void parse(struct launch *l, int argc, char **argv)
{
	struct args args = {1, {argv[0]}};
	char err[ERR_LEN] = "", **program;

	args_add_environment(&args);
	program = args_split(&args, "record", argc, argv, own_option, l);
	options_default(&l->opt);
	if (args_parse(&args, &l->opt, err))
		cli_usage("record", "%s", err);
	l->opt.argv = program;
}

// The library, and ourselves for the targets that may have to start a recorder.
static bool find_parts(struct launch *l)
{
	l->opt.self = place_self();
	l->library = launch_library();
	return l->library;
}

int cmd_record(int argc, char **argv)
{
	struct launch l = {0};
	char err[ERR_LEN] = "";
	parse(&l, argc, argv);
	int status = program_check(l.opt.argv[0], &l.check);
	if (status) {
		cli_error("%s", l.check.err);
		return status;
	}
	if (!find_parts(&l))
		return EXIT_RECORD;
	if (!start(&l, err)) {
		cli_error("%s", err);
		return EXIT_RECORD;
	}
	follow(&l);
	report(&l);
	return exit_status(l.wait_status);
}
