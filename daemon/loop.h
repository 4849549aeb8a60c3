/* The main thread's event loop: descriptors, timers, signals and a wake-up for other threads, over epoll.
 *
 * Everything but loop_wake() belongs to the thread that calls loop_run(). A callback may add and remove
 * anything, itself included: what was removed is not called any more, even when its event was already taken. */
#ifndef SKIMD_DAEMON_LOOP_H
#define SKIMD_DAEMON_LOOP_H

#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_timer;

typedef void (*loop_fd_callback)(void *user, int fd, uint32_t events);
typedef void (*loop_timer_callback)(void *user);
typedef void (*loop_signal_callback)(void *user, int signal_number);
typedef void (*loop_wake_callback)(void *user);

/* *ret is the caller's, for loop_free(). -EMFILE, -ENFILE, -ENOMEM. */
int loop_new(struct loop **ret, struct err *err);

/* Frees what is still registered, but closes no descriptor of the caller's. NULL is allowed. */
void loop_free(struct loop *loop);

/* Call back until loop_stop(). 0 when stopped; a negative errno of epoll. May be run again. */
int loop_run(struct loop *loop, struct err *err);

/* Let loop_run() return when the events it has already taken are dispatched. Before loop_run(): the next one
 * returns at once. */
void loop_stop(struct loop *loop);

/* Watch fd for EPOLLIN, EPOLLOUT ... (level-triggered). fd stays the caller's, who removes it before closing it.
 * -EEXIST: it is watched already; -EPERM: it cannot be polled, a regular file for example. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback callback, void *user,
                struct err *err);
/* Other events of a descriptor that is watched; it does nothing when it is not. With 0 only EPOLLERR and EPOLLHUP are
 * told, which always are. */
void loop_change_fd(struct loop *loop, int fd, uint32_t events);
void loop_remove_fd(struct loop *loop, int fd); /* does nothing when fd is not watched */

/* A timer, not running yet. *ret is the loop's; it lives until loop_remove_timer() or loop_free(). */
int loop_add_timer(struct loop *loop, loop_timer_callback callback, void *user, struct loop_timer **ret,
                   struct err *err);

/* Run after after_ns (0: as soon as the loop comes round), then every every_ns (0: once). Replaces what was set
 * before. Repetitions that could not be served in time are not made up for. */
void loop_timer_start(struct loop_timer *timer, uint64_t after_ns, uint64_t every_ns);
void loop_timer_stop(struct loop_timer *timer);
void loop_remove_timer(struct loop *loop, struct loop_timer *timer); /* NULL is allowed */

/* Block SIGTERM, SIGINT and SIGHUP and deliver them to callback. Once for a loop, and before other threads
 * start, as these inherit what is blocked; loop_free() restores the caller's signal mask. */
int loop_add_signals(struct loop *loop, loop_signal_callback callback, void *user, struct err *err);

/* What loop_wake() runs, in the loop's thread; set before other threads know the loop. */
void loop_on_wake(struct loop *loop, loop_wake_callback callback, void *user);

/* From any thread, also before loop_run(): have the wake callback run soon. Several calls may become one. */
void loop_wake(struct loop *loop);

/* CLOCK_MONOTONIC in nanoseconds, the clock of the timers. */
uint64_t loop_now_ns(void);

#endif
