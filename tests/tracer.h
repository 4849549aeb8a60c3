/* A program and all its threads under ptrace(2), stopped before each system call, so that a trial can end it there or let
 * the call fail. Faults come from where real ones do, also in calls that no library lets go through a symbol, and work
 * with sanitizers. */
#ifndef SKIMD_TESTS_TRACER_H
#define SKIMD_TESTS_TRACER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tracer_call {
	pid_t process, thread;
	uint64_t number; /* SYS_… */
	uint64_t arguments[6];
};

/* What is to become of a call. */
enum tracer_order {
	TRACER_GO,
	TRACER_KILL, /* the whole program, by SIGKILL; the call is not made */
	TRACER_FAIL, /* it is not made, and returns tracer_settings.error */
	TRACER_SHORT, /* the third argument, a count of bytes, is halved */
};

struct tracer_settings {
	const char *const *argv;
	const char *log; /* standard output and error are appended to this file */
	int error; /* an errno */
	enum tracer_order (*before)(void *user, const struct tracer_call *call);
	void *user;
};

/* Run it to its end; its wait status, or -EPERM: nothing may be traced here, or failures cannot be made on this CPU. */
int tracer_run(const struct tracer_settings *settings);

/* The string that an argument points to; "" if it cannot be read. ret is room for PATH_MAX. */
void tracer_string(const struct tracer_call *call, unsigned argument, char *ret);

/* The path that a descriptor argument leads to, likewise. */
void tracer_descriptor(const struct tracer_call *call, unsigned argument, char *ret);

#endif
