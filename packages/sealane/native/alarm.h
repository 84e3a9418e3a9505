/*
 * Interrupts a wait of the calling thread inside a system call.
 */
#ifndef SEALANE_ALARM_H
#define SEALANE_ALARM_H

#include <stdbool.h>

/* From its begin to its end. */
struct alarm {
    int timer;
    bool is_set;
};

/*
 * From `milliseconds` from now on this thread's interruptible waits end, also those that the kernel begins by itself at the end of a
 * system call. Without a signal or a timer to be had, nothing happens.
 */
void alarm_begin(struct alarm *alarm, long milliseconds);
void alarm_end(const struct alarm *alarm);

#endif
