// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Starting, watching and restarting the drainer and the inserter of a recording.
#include "supervise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_RESTARTS = 50
};

// One report through the pipe; smaller than PIPE_BUF, so reports never mix.
struct report {
	uint64_t events, transitions, spool_done, spool_size;
	char phase[32];
	char err[ERR_LEN]; // "" unless it failed
};

// Nothing of the program's stays open here: `record -- program | cat` ends with the program.
void recorder_manners(void)
{
	umask(0077);
	signal(SIGXFSZ, SIG_IGN);
}

static void leave_terminal(int keep)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, normal = {.sa_handler = SIG_DFL};
	sigset_t none;
	setsid();
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGINT, &normal, NULL);
	sigaction(SIGTERM, &normal, NULL);
	sigaction(SIGCHLD, &normal, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep = fcntl(keep, F_DUPFD, 4); // may be below 3 when we were started without them
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup2(keep, 3);
	close_range(4, ~0u, 0);
	if (chdir("/"))
		return; // only keeps a folder busy
}

// Never waits: whoever reads this is only curious.
static void send_report(int fd, const struct insert_progress *p, const char *err)
{
	struct report r = {0};
	if (p) {
		r.events = p->events;
		r.transitions = p->transitions;
		r.spool_done = p->spool_done;
		r.spool_size = p->spool_size;
		snprintf(r.phase, sizeof(r.phase), "%s", p->phase ? p->phase : "");
	}
	snprintf(r.err, sizeof(r.err), "%s", err ? err : "");
	if (write(fd, &r, sizeof(r)) != sizeof(r))
		return; // nobody listens any more, or the listener is behind
}

static void on_progress(void *ctx, const struct insert_progress *p)
{
	send_report(*(int *)ctx, p, NULL);
}

enum role {
	DRAINER,
	INSERTER
};

// Where the kernel shares CPUs out by session (autogroup), a nice value counts only among processes
// of one session, and the session has one of its own.
static void set_session_share(pid_t pid, const char *nice)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/autogroup", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; // no such sharing here
	if (write(fd, nice, strlen(nice)) < 0)
		errno = 0; // as it was, then
	close(fd);
}

// An idle policy lets the drainer wake on the inserter's CPU at once, instead of on the program's; but
// without this privilege there is no way back from it.
static bool may_leave_idle(void)
{
	struct rlimit limit = {0};

	return !geteuid() || (!getrlimit(RLIMIT_NICE, &limit) && limit.rlim_cur >= 20);
}

// The spool can wait, the program and the drainer that keeps its rings free cannot. So while there
// are any the inserter takes what nobody else wants.
static void inserter_steps_back(pid_t pid)
{
	const struct sched_param none = {0};

	setpriority(PRIO_PROCESS, (id_t)pid, 19);
	set_session_share(pid, "19");
	if (may_leave_idle())
		sched_setscheduler(pid, SCHED_IDLE, &none);
}

// All its threads: policy and nice value are a thread's own.
static void inserter_comes_forward(pid_t pid)
{
	const struct sched_param none = {0};
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	set_session_share(pid, "0");
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

		if (!thread)
			continue; // . and ..
		if (may_leave_idle())
			sched_setscheduler(thread, SCHED_OTHER, &none);
		setpriority(PRIO_PROCESS, (id_t)thread, 0); // where it is allowed
	}
	if (tasks)
		closedir(tasks);
}

// The drainer works for a moment every half millisecond: a short slice (Linux 6.12, else without
// effect) lets it in. The inserter was started after the drainer, which may already have been and gone.
static void set_urgency(const struct supervisor *s, enum role role)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .runtime = 100000};

	if (role == DRAINER) {
		syscall(SYS_sched_setattr, 0, &attr, 0);
		return;
	}
	inserter_steps_back(getpid());
	if (kill(s->drainer, 0))
		inserter_comes_forward(getpid());
}

// The rest of the life of a drainer or an inserter.
static void child_main(const struct supervisor *s, enum role role)
{
	char err[ERR_LEN] = "";
	int fd = 3; // where leave_terminal puts the pipe
	leave_terminal(s->pipe_w);
	set_urgency(s, role);
	int ret = role == DRAINER ? drain_run(s->folder, s->program, err)
				  : insert_run(s->folder, false, on_progress, &fd, err);
	if (ret)
		send_report(fd, NULL, *err ? err : strerror(-ret));
	_exit(ret != 0);
}

// -1: no process could be made.
static pid_t start(const struct supervisor *s, enum role role)
{
	pid_t pid = fork();
	if (!pid)
		child_main(s, role);
	return pid;
}

int supervise_start(struct supervisor *s, const char *folder, int program, char *err)
{
	int fd[2];
	*s = (struct supervisor){.program = program, .progress.phase = "recording"};
	snprintf(s->folder, sizeof(s->folder), "%s", folder);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK)) {
		snprintf(err, ERR_LEN, "cannot make a pipe: %s", strerror(errno));
		return -errno;
	}
	s->pipe = fd[0];
	s->pipe_w = fd[1];
	s->drainer = start(s, DRAINER);
	s->inserter = start(s, INSERTER);
	if (s->drainer > 0 && s->inserter > 0)
		return 0;
	snprintf(err, ERR_LEN, "cannot start the recorder: %s", strerror(errno));
	return -errno;
}

static bool clean(int status)
{
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

// A drainer may die at any point and be started again; an inserter that fails leaves its folder,
// for `recover`.
bool supervise_reaped(struct supervisor *s, pid_t pid, int status)
{
	if (pid == s->drainer) {
		s->drainer = 0;
		if (!clean(status) && s->restarts++ < MAX_RESTARTS)
			s->drainer = start(s, DRAINER);
		else if (s->inserter)
			inserter_comes_forward(s->inserter);
		return true;
	}
	if (pid == s->inserter) {
		supervise_read(s);
		s->inserter = 0;
		s->finished = true;
		s->ok = clean(status);
		if (WIFSIGNALED(status))
			snprintf(s->err, sizeof(s->err), "the inserter was ended by signal %d (%s)",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
		return true;
	}
	return false;
}

void supervise_read(struct supervisor *s)
{
	struct report r;
	while (read(s->pipe, &r, sizeof(r)) == sizeof(r)) {
		if (*r.err) {
			snprintf(s->err, sizeof(s->err), "%s", r.err);
			continue;
		}
		memcpy(s->phase, r.phase, sizeof(s->phase));
		s->progress = (struct insert_progress){r.events, r.transitions, r.spool_done,
						       r.spool_size, s->phase};
	}
}

// For a supervisor with no other children.
void supervise_wait(struct supervisor *s)
{
	int status;
	while (!s->finished) {
		pid_t pid = waitpid(-1, &status, 0);
		if (pid > 0)
			supervise_reaped(s, pid, status);
		else if (errno != EINTR)
			break;
	}
}
